"""``jailbreak_detect``: attempts to talk a model out of its rules, by NVIDIA's JailbreakDetect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from ai_gateway.guardrails.check import Finding, Matcher, Stage
from ai_gateway.guardrails.remote.asking import MOST_CALLS, Asker, Verdict
from ai_gateway.guardrails.remote.conversation import together, windows
from ai_gateway.guardrails.remote.parameters import Remote
from ai_gateway.guardrails.remote.reading import Unreadable
from ai_gateway.guardrails.scene import Scene

_PATH = "/classify"
_SURE = 0.5  # from here on it is one
_BELOW = 0.49


class Parameters(Remote):
    """The model's yes or no decides: yes scores 0.5 and more, no less than 0.5."""

    type: Literal["jailbreak_detect"]
    max_characters: int = Field(
        6_000,
        ge=500,
        le=1_000_000,
        description="What one call shows of a text; longer ones are shown in parts.",
    )


def build(parameters: Parameters) -> Matcher:
    """A matcher that asks for every text by itself, several at once."""
    asker = Asker(parameters, _PATH)

    def weigh(scene: Scene, stage: Stage) -> list[Finding]:
        parts = _parts(scene, stage, parameters.max_characters)
        return asker.findings(scene, [{"input": part} for part in parts], _read)

    return Matcher(weigh=weigh, remote=True, models=frozenset({parameters.model}))


def _parts(scene: Scene, stage: Stage, room: int) -> list[str]:
    """Every text by itself, so that a long one hides no other; all together if they are many."""
    texts = dict.fromkeys(scene.of(stage))
    apart = [part for text in texts for part in windows(text, room)]
    return apart if len(apart) <= MOST_CALLS else windows(together(scene, stage), room)


def _read(reply: Mapping[str, Any]) -> Verdict:
    """``{"jailbreak": bool, "score": -1..1}``; a yes with score 0.0 has been seen."""
    found, score = reply.get("jailbreak"), reply.get("score")
    if not isinstance(found, bool):
        raise Unreadable("neither yes nor no")
    if isinstance(score, bool) or not isinstance(score, (int, float)) or not -1 <= score <= 1:
        raise Unreadable("no score in -1..1")
    likely = (score + 1) / 2
    return (("jailbreak", max(likely, _SURE) if found else min(likely, _BELOW)),)

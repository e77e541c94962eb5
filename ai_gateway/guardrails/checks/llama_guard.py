"""``llama_guard``: what a model of the Llama Guard family calls unsafe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import re2
from pydantic import Field, StringConstraints

from ai_gateway.guardrails.check import Finding, Matcher, Stage
from ai_gateway.guardrails.remote.asking import Asker, Body, Verdict
from ai_gateway.guardrails.remote.conversation import exchanges
from ai_gateway.guardrails.remote.fence import disarmed
from ai_gateway.guardrails.remote.parameters import Remote
from ai_gateway.guardrails.remote.reading import Unreadable, conclusion
from ai_gateway.guardrails.scene import Scene

#: S1 to S14 of Llama Guard 3 and 4, O1 to O6 of the first one.
_CODE: Final = r"[SO][1-9][0-9]?"
_CODES: Final = re2.compile(rf"{_CODE}(?:\s*,\s*{_CODE})*")
#: The rule where a model names no category.
UNSAFE: Final = "unsafe"


class Parameters(Remote):
    """The rule is the category's code. An answer is judged together with its request."""

    type: Literal["llama_guard"]
    categories: tuple[Annotated[str, StringConstraints(pattern=f"^{_CODE}$")], ...] = Field(
        (), max_length=100, description="Codes that count (S1, S9); all if left out."
    )


def build(parameters: Parameters) -> Matcher:
    """A matcher that asks once for all texts of a stage."""
    asker = Asker(parameters)

    def read(reply: Mapping[str, Any]) -> Verdict:
        codes, counted = _unsafe(conclusion(reply)), parameters.categories
        return tuple(
            (code, 1.0) for code in codes if not counted or code in counted or code == UNSAFE
        )

    def weigh(scene: Scene, stage: Stage) -> list[Finding]:
        pairs = exchanges(scene, stage, parameters.max_characters)
        return asker.findings(scene, [_body(*pair) for pair in pairs], read)

    return Matcher(weigh=weigh, remote=True, models=frozenset({parameters.model}))


def _body(said: str, answer: str | None) -> Body:
    # These models judge the last message of a conversation, so that is all that is to be judged.
    messages = [{"role": "user", "content": disarmed(said)}]
    if answer is not None:
        messages.append({"role": "assistant", "content": disarmed(answer)})
    return {"messages": messages, "temperature": 0, "max_tokens": 50}


def _unsafe(said: str) -> list[str]:
    """The codes behind ``unsafe``; none behind ``safe``, which stands alone."""
    first, *rest = said.split(maxsplit=1) or [""]
    if first == "safe" and not rest:
        return []
    if first != "unsafe":
        raise Unreadable("neither safe nor unsafe")
    if not rest:
        return [UNSAFE]
    if not _CODES.fullmatch(rest[0].strip()):
        raise Unreadable("no codes of categories")
    return list(dict.fromkeys(code.strip() for code in rest[0].split(",")))

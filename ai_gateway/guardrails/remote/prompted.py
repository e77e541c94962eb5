"""Checks that any language model can make: a prompt of judge_prompts/, and a score in its reply."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import Field, PrivateAttr

from ai_gateway.guardrails.remote.asking import Body
from ai_gateway.guardrails.remote.fence import disarmed, nonce
from ai_gateway.guardrails.remote.parameters import Remote
from ai_gateway.guardrails.remote.reading import content
from ai_gateway.judge import prompts, verdict
from ai_gateway.manifest.units import Name

_PLACEHOLDER: Final = re.compile(r"\{\{(instructions|documents|question|answer|nonce)\}\}")


class Prompted(Remote):
    """A check whose prompt is a file of the bundle, known once ``prepare`` has read it."""

    prompt: Name = Field(description="judge_prompts/NAME.md, without .md")
    max_tokens: int = Field(
        512, ge=16, le=32_000, description="Of the model's reply, its reasoning too."
    )
    _template: str | None = PrivateAttr(None)

    @property
    def template(self) -> str:
        """The prompt's text."""
        if self._template is None:
            raise RuntimeError("prepare(bundle) reads the prompt first")
        return self._template

    def prepare(self, bundle: Path, /) -> Iterator[tuple[str, str]]:
        """Read the prompt in ``bundle``."""
        found, _ = prompts.load(bundle / "judge_prompts")
        if self.prompt in found:
            self._template = found[self.prompt].text
            yield from self.unfit(self._template)
        else:
            yield "prompt", f"one of judge_prompts/: {', '.join(found) or 'which has none'}"

    def unfit(self, template: str) -> Iterator[tuple[str, str]]:
        """Keys that do not go with the prompt, and what would."""
        if "{{documents}}" in template:
            yield "prompt", "a prompt without {{documents}}: type grounded has those"

    def body(self, instructions: str = "", **foreign: str) -> Body:
        """The prompt with texts in it, in one pass: nothing that stands in them is replaced.

        ``instructions`` are the operator's own; ``question``, ``answer`` and ``documents`` are
        foreign, and stand inside fences with a nonce.
        """
        texts = {name: disarmed(text) for name, text in foreign.items()}
        values = {**texts, "instructions": instructions, "nonce": nonce(*texts.values())}
        filled = _PLACEHOLDER.sub(lambda found: values.get(found[1], ""), self.template)
        messages = [{"role": "user", "content": filled}]
        return {"messages": messages, "temperature": 0, "max_tokens": self.max_tokens}


def score(reply: Mapping[str, Any]) -> float:
    """The score 0..1 in a model's reply, read as a judge's is; raises where there is none."""
    return verdict.parse(content(reply)).score

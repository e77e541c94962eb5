"""``code``: code in an answer, by its language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from ai_gateway.guardrails.check import AnswerCheck, Finding, Matcher
from ai_gateway.guardrails.code import MANY, Block, blocks, named, unfenced
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.scene import Scene

Language = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(named)]
Languages = Annotated[tuple[Language, ...], Field(max_length=100)]


class Parameters(AnswerCheck):
    """A finding's rule is the language; it leaves `[CODE]`."""

    type: Literal["code"]
    allowed: Languages | None = Field(None, description="Languages; [] for none at all.")
    denied: Languages | None = Field(None, min_length=1, description="Or those that may not be.")

    @model_validator(mode="after")
    def _one_of_two(self) -> Parameters:
        if (self.allowed is None) == (self.denied is None):
            raise ValueError("allowed or denied, and not both")
        return self


def build(parameters: Parameters) -> Matcher:
    """A matcher that yields every block, and every line outside of one, that may not be."""
    allowed, denied = parameters.allowed, parameters.denied or ()

    def find(text: Normalised, _scene: Scene) -> Iterator[Finding]:
        for block in _all(text.source):
            language = block.language
            refused = language in denied if allowed is None else language not in allowed
            if refused or language == MANY:
                yield Finding(language, block.score, block.start, block.end, "CODE")

    return Matcher(find)


def _all(text: str) -> Iterator[Block]:
    fenced = list(blocks(text))
    yield from fenced
    yield from unfenced(text, fenced)

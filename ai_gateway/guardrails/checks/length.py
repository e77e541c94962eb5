"""``length``: how long a text, or a stage's texts together, may and must be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from ai_gateway.cost.estimate import asked, once
from ai_gateway.guardrails.check import Check, Finding, Matcher, Stage
from ai_gateway.guardrails.scene import Scene


class Parameters(Check):
    """A finding's rule is the bound that does not hold."""

    places: ClassVar[bool] = False

    type: Literal["length"]
    max_characters: int | None = Field(None, ge=1, description="Unicode code points.")
    max_tokens: int | None = Field(
        None, ge=1, description="By the gateway's estimate: four bytes of UTF-8 are a token."
    )
    min_characters: int | None = Field(None, ge=1, description="Unicode code points.")
    together: bool = Field(
        default=False, description="Whether a stage's texts are measured as one, not each."
    )

    @model_validator(mode="after")
    def _bounded(self) -> Parameters:
        least, most = self.min_characters, self.max_characters
        if least is None and most is None and self.max_tokens is None:
            raise ValueError("at least one of max_characters, max_tokens and min_characters")
        if least is not None and most is not None and least > most:
            raise ValueError("a min_characters that is not above max_characters")
        return self


def build(parameters: Parameters) -> Matcher:
    """A matcher that yields each bound that does not hold once, with score 1."""

    def weigh(scene: Scene, stage: Stage) -> Iterator[Finding]:
        texts = list(scene.of(stage))
        measured = [once(texts)] if parameters.together else [[text] for text in texts]
        broken = (rule for each in measured for rule in _broken(parameters, each))
        for rule in dict.fromkeys(broken):
            yield Finding(rule, 1.0, 0, 0)

    return Matcher(weigh=weigh)


def _broken(bounds: Parameters, texts: Sequence[str]) -> Iterator[str]:
    """The bounds that texts, measured as one, do not hold."""
    characters = sum(map(len, texts))
    if bounds.max_characters is not None and characters > bounds.max_characters:
        yield "max_characters"
    if bounds.min_characters is not None and characters < bounds.min_characters:
        yield "min_characters"
    if bounds.max_tokens is not None and asked(texts) > bounds.max_tokens:
        yield "max_tokens"

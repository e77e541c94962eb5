"""``prompt_leak``: the system prompt in an answer.

By canaries, strings that an operator put into the prompt and that nobody says by chance; and by the
words that prompt and answer have in common, in their order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from ai_gateway.guardrails.check import AnswerCheck, Finding, Matcher
from ai_gateway.guardrails.leak import Canaries, shared, squashed
from ai_gateway.guardrails.normalise import Normalised, words_of
from ai_gateway.guardrails.scene import Scene

_SHORTEST = 6


def _told_apart(canary: str) -> str:
    if len(squashed(canary)) < _SHORTEST:
        raise ValueError(f"a canary with {_SHORTEST} letters or digits at least")
    return canary


Words = Annotated[str, Field(max_length=200), AfterValidator(_told_apart)]


class Parameters(AnswerCheck):
    """A finding's rule is `canary` or `overlap`; it leaves `[SYSTEM_PROMPT]`."""

    type: Literal["prompt_leak"]
    canaries: Annotated[tuple[Words, ...], Field(max_length=100)] = Field(
        (), description="Strings in system prompts that no answer may hold, in any disguise."
    )
    overlap: bool = Field(default=True, description="Whether words in common are looked for.")
    min_words: int = Field(
        12, ge=5, description="A system prompt of fewer words has no overlap with anything."
    )

    @model_validator(mode="after")
    def _looks_for_something(self) -> Parameters:
        if not (self.overlap or self.canaries):
            raise ValueError("canaries where overlap is false")
        return self


def build(parameters: Parameters) -> Matcher:
    """A matcher that yields each canary once, and the largest overlap with a system prompt."""
    canaries = Canaries(parameters.canaries) if parameters.canaries else None

    def find(text: Normalised, scene: Scene) -> Iterator[Finding]:
        for place in canaries.places(text) if canaries else ():
            yield Finding("canary", 1.0, *place, "SYSTEM_PROMPT")
        if parameters.overlap:
            prompts = map(words_of, dict.fromkeys(scene.of("system")))
            long = [words for words in prompts if len(words) >= parameters.min_words]
            found = max((shared(words, text.words) for words in long), default=None)
            if found is not None and found.score:
                place = text.span(found.first, found.last)
                yield Finding("overlap", found.score, *place, "SYSTEM_PROMPT")

    return Matcher(find, around=parameters.overlap)

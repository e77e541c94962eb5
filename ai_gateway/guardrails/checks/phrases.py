"""``phrases``: fixed phrases, found in any case, spelling and disguise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from ai_gateway.guardrails.check import Check, Finding, Matcher
from ai_gateway.guardrails.lexicon import Lexicon, Phrase
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.scene import Scene


class Parameters(Check):
    """Whole words only: `art` is not found in `party`. A finding's rule is the phrase."""

    type: Literal["phrases"]
    phrases: Annotated[tuple[Phrase, ...], Field(min_length=1, max_length=10_000)]


def build(parameters: Parameters) -> Matcher:
    """A matcher that yields every phrase once, where it first stands, with score 1.

    What is redacted is found wherever it stands.
    """
    everywhere = parameters.action == "redact"
    lexicon = Lexicon({phrase: [phrase] for phrase in parameters.phrases})

    def find(text: Normalised, _scene: Scene) -> Iterator[Finding]:
        seen = set()
        for phrase, first, last in lexicon.occurrences(text.words):
            if everywhere or phrase not in seen:
                seen.add(phrase)
                yield Finding(phrase, 1.0, *text.span(first, last))

    return Matcher(find, vocabulary=lexicon.vocabulary)

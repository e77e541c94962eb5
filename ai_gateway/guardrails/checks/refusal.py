"""``refusal``: the model declined ("I can't help with that").

Known by its first words: who refuses says "I" and "cannot", then what cannot be done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ai_gateway.guardrails.check import AnswerCheck, Finding, Matcher
from ai_gateway.guardrails.lexicon import Lexicon, Phrase
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.scene import Scene

_CANNOT = (
    *("i can t", "i cant", "i cannot", "i can not", "i won t", "i wont", "i will not"),
    *("i am unable to", "i m unable to", "i am not able to", "i m not able to"),
    *("i am not going to", "i m not going to", "i couldn t", "i could not", "i shouldn t"),
    *("i must decline", "i have to decline", "i need to decline", "i decline", "i refuse"),
    *("i m not comfortable", "i am not comfortable", "i can t in good conscience"),
    *("i don t feel comfortable", "we can t", "we cannot", "we are unable to", "we re unable to"),
)
_DO = (
    *("help", "assist", "comply", "fulfill", "fulfil", "support", "engage", "participate"),
    *("provide", "offer", "give", "share", "create", "write", "generate", "produce", "answer"),
    *("discuss", "continue", "do that", "do this", "respond", "advise", "encourage", "promote"),
    *("complete", "carry out", "facilitate", "instruct", "explain how", "describe how", "guide"),
)
#: What says by itself that nothing will come.
_ALONE = (
    *("i must decline", "i have to decline", "i need to decline", "i respectfully decline"),
    *("unable to comply", "unable to assist", "cannot comply", "cannot assist", "can t assist"),
    *("i m sorry but i can t", "i am sorry but i can t", "i m sorry but i cannot"),
    *("i am sorry but i cannot", "sorry but i can t", "sorry i can t", "sorry i cannot"),
    *("request goes against", "violates my guidelines", "against my guidelines"),
    *("against my programming", "can t help with", "cannot help with", "can t help you with"),
)
#: What a refusal may begin with, and much else too.
_HINTS = (
    *("i m sorry", "i am sorry", "i apologize", "i apologise", "unfortunately"),
    *("as an ai", "as a language model", "as an artificial intelligence"),
)
_CLEAR, _LIKELY, _HINT = 0.95, 0.8, 0.3
#: What is lost of a score by the last word that is looked at.
_LATE = 0.5
#: Words from "cannot" to what cannot be done.
_REACH = 4


class Parameters(AnswerCheck):
    """A finding's rule is `declined` or, for words that a refusal may have, `hint`."""

    # A placeholder in place of "I can't help" helps nobody.
    places: ClassVar[bool] = False

    type: Literal["refusal"]
    within: int = Field(
        40, ge=5, le=200, description="The words at the beginning of an answer that are looked at."
    )
    phrases: Annotated[tuple[Phrase, ...], Field(max_length=1_000)] = Field(
        (), description="More phrases that say so, in other languages for instance."
    )


def build(parameters: Parameters) -> Matcher:
    """A matcher that yields the surest sign of a refusal; the later it stands, the less sure."""
    lexicon = Lexicon(
        {"cannot": _CANNOT, "do": _DO, "alone": (*_ALONE, *parameters.phrases), "hint": _HINTS}
    )

    def find(text: Normalised, _scene: Scene) -> Iterator[Finding]:
        found = list(_signs(lexicon, text.words[: parameters.within], parameters.within))
        if found:
            score, first, last = max(found, key=lambda sign: (sign[0], -sign[1]))
            rule = "hint" if score <= _HINT else "declined"
            yield Finding(rule, score, *text.span(first, last))

    return Matcher(find)


def _signs(lexicon: Lexicon, words: Sequence[str], within: int) -> Iterator[tuple[float, int, int]]:
    """Each sign as (score, first word, last word)."""
    cannot: tuple[int, int] | None = None
    for name, first, last in lexicon.occurrences(words):
        late = 1 - _LATE * first / within
        if name == "cannot":
            cannot = first, last
        elif name == "do":
            if cannot and cannot[1] < first <= cannot[1] + _REACH:
                yield round(_LIKELY * late, 4), cannot[0], last
        else:
            yield round((_CLEAR if name == "alone" else _HINT) * late, 4), first, last

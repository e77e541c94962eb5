"""``languages``: which languages a text may be in.

A long text is judged in pieces, so that a part in another language does not hide in the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from ai_gateway.guardrails.check import Check, Finding, Matcher
from ai_gateway.guardrails.linear import compiled, searchable
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.scene import Scene

_CODES = (
    "af am an ar as az ba be bg bn br bs ca cs cy da de dz el en eo es et eu fa fi fo fr fy ga gd"
    " gl gu ha he hi hr ht hu hy id ig is it ja jv ka kk km kn ko ku ky la lb lg ln lo lt lv mg mk"
    " ml mn mr ms mt my ne nl nn no oc om or pa pl ps pt qu ro ru rw sa se si sk sl sn so sq sr st"
    " sv sw ta te tg th tk tl tr tt ug uk ur uz vi vo wa xh yo zh zu"
)
#: ISO 639-1 codes of the languages that py3langid tells apart.
KNOWN = frozenset(_CODES.split())
#: ISO 639-3 codes that it gives to languages of which ISO 639-1 has the whole group.
_PARTS = {
    "arz": "ar",
    "ary": "ar",
    "ltg": "lv",
    "nn": "no",
    "sdh": "ku",
    "uzs": "uz",
    "wuu": "zh",
    "yue": "zh",
}
#: What it calls a text that is in no language.
_NONE = "zxx"
#: Characters that are judged at once: enough to be sure, and few enough to be of one language.
_PIECE = 1_000
_QUOTED = compiled(r"(?:(?s:```.*?(?:```|\z))|`[^`\n]*`)+")
#: What has a sign in it that words have not: URLs, numbers, names, calls.
_SIGNED = compiled(r"(?:[!-~]*(?:[0-9_=<>{}\[\]/\\|@$^&+~]|\w[({.:]\w|;\s)[!-~]*\s*)+")
#: The share of the letters outside of quotes that must be in words, for a piece to be judged.
_WORDED = 0.5


def _code(language: str) -> str:
    if language not in KNOWN:
        known = " ".join(sorted(KNOWN))
        raise ValueError(f"an ISO 639-1 code that is known here: {known}")
    return language


Language = Annotated[str, AfterValidator(_code)]


class Parameters(Check):
    """A finding's rule is the language found, its score how sure it is that none is allowed."""

    type: Literal["languages"]
    allowed: Annotated[tuple[Language, ...], Field(min_length=1)] = Field(
        description="ISO 639-1 codes."
    )
    min_characters: int = Field(
        40, ge=10, le=_PIECE, description="Letters in words; a text of fewer is not judged."
    )
    confidence: float = Field(
        0.8, gt=0, le=1, description="How probable a language must be to be taken for the text's."
    )


def build(parameters: Parameters) -> Matcher:
    """A matcher that yields each language that is not allowed once, where it is most certain."""
    identifier = _identifier()
    allowed = {*parameters.allowed}
    allowed |= {part for part, whole in _PARTS.items() if whole in allowed}

    def find(text: Normalised, _scene: Scene) -> Iterator[Finding]:
        found: dict[str, Finding] = {}
        for start in range(0, len(text.source), _PIECE):
            piece = text.source[start : start + _PIECE]
            words = _words(piece, parameters.min_characters)
            language, score = _foreign(identifier, words, allowed, parameters.confidence)
            if score > (found[language].score if language in found else 0):
                found[language] = Finding(language, score, start, start + len(piece))
        yield from found.values()

    return Matcher(find)


@lru_cache(maxsize=1)
def _identifier() -> Any:
    """The model, once for all checks and reloads. It keeps no state, so threads may share it."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 - takes 75 MB

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _words(piece: str, least: int) -> str:
    """The words of ``piece``; nothing where they are too few, or most of it is no words."""
    said = _QUOTED.sub(" ", searchable(piece))
    words = _SIGNED.sub(" ", said)
    enough = max(least, _WORDED * _letters(said))
    return words if _letters(words) >= enough else ""


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def _foreign(
    identifier: Any, words: str, allowed: set[str], confidence: float
) -> tuple[str, float]:
    """The language of ``words``, and how probable it is that they are in none that is allowed."""
    if not words:
        return _NONE, 0.0
    ranked = identifier.rank(words)
    language, probability = ranked[0]
    if language in allowed or language == _NONE or probability < confidence:
        return language, 0.0
    known = sum(share for name, share in ranked if name in allowed)
    return language, round(min(max(1.0 - known, 0.0), 1.0), 4)

"""The forms of an English word that a request uses: base, -s and -ing.

The past is left out on purpose: "how was the bomb made" asks about what happened. Where a past
form does belong into a list ("stolen"), a policy writes it.
"""

from __future__ import annotations

import re

_SIBILANT = re.compile(r".*(?:s|x|z|ch|sh)\Z")
#: Shorter words (an, to, of) have no forms.
_SHORTEST = 3
_CONSONANT_Y = re.compile(r".*[^aeiou]y\Z")
_ONE_VOWEL_ONE_CONSONANT = re.compile(r".*(?:^|[^aeiou])[aeiou][^aeiouwxy]\Z")


#: Words that have no such forms.
_FUNCTION_WORDS = frozenset(
    (
        *("a", "an", "any", "my", "no", "other", "our", "that", "the", "their", "this", "your"),
        *("at", "by", "for", "from", "in", "of", "on", "to", "up", "with", "without"),
        *("how", "what", "when", "where", "who", "why", "and", "or"),
        *("i", "it", "me", "someone", "you"),
        *("are", "did", "do", "is", "was", "were"),
    )
)


def forms(phrase: str) -> frozenset[str]:
    """``phrase`` with its first or its last word inflected: a verb leads, a noun ends one."""
    words = phrase.split()
    found = {phrase}
    for place in {0, len(words) - 1}:
        for form in _word_forms(words[place]):
            found.add(" ".join([*words[:place], form, *words[place + 1 :]]))
    return frozenset(found)


def _word_forms(word: str) -> set[str]:
    if len(word) < _SHORTEST or word in _FUNCTION_WORDS or not (word.isascii() and word.isalpha()):
        return set()
    return {_third_person(word), *_participles(word)}


def _third_person(word: str) -> str:
    if _CONSONANT_Y.match(word):
        return f"{word[:-1]}ies"
    return f"{word}es" if _SIBILANT.match(word) else f"{word}s"


def _participles(word: str) -> set[str]:
    """Both spellings where only the stress would tell (``committing``, ``opening``)."""
    if word.endswith("e") and not word.endswith(("ee", "oe", "ye")):
        return {f"{word[:-1]}ing"}
    if _ONE_VOWEL_ONE_CONSONANT.match(word):
        return {f"{word}{word[-1]}ing", f"{word}ing"}
    return {f"{word}ing"}

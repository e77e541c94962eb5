"""What models and judge know of language: words, stems, sentences, tokens, draws from a hash."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")

_WORD = re.compile(r"\w+")
_TOKEN = re.compile(r"\w+|[^\w\s]")
_PIECE = re.compile(r"\s*(?:\w+|[^\w\s])")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_ENDING = re.compile(r"e?(?:(?<!s)s|ing|ed|e)$")
_SHORTEST_STEM = 3

#: Words that say nothing of a text's subject.
_COMMON = frozenset(
    _WORD.findall(
        "a about after all also an and any are as at be because been before both but by can could"
        " did do does done each for from give had has have he her here his how i if in into is it"
        " its just kind like made make many may me might more most much must my no nor not of off"
        " on one only or other our out over own please same say she should so some such take tell"
        " than that the their them then there these they this those through to too under up us use"
        " very was way we were what when where which while who whom whose why will with within"
        " without would write you your"
    )
)


def stem(word: str) -> str:
    """``word`` in lower case without an English ending, if three letters remain."""
    word = word.casefold()
    short = _ENDING.sub("", word)
    return short if len(short) >= _SHORTEST_STEM else word


def words(text: str) -> list[str]:
    """The words of ``text`` as they stand."""
    return _WORD.findall(text)


def stems(text: str) -> list[str]:
    """The stems of all words, in order."""
    return [stem(word) for word in _WORD.findall(text)]


@lru_cache(maxsize=4096)
def subject(text: str) -> frozenset[str]:
    """The stems of the words that carry meaning."""
    return frozenset(stem(word) for word in _WORD.findall(text) if word.casefold() not in _COMMON)


def keywords(text: str) -> list[str]:
    """The words that carry meaning, as they stand, each once, in order."""
    found = {word.casefold(): word for word in reversed(_WORD.findall(text))}
    return [word for key, word in reversed(found.items()) if key not in _COMMON and len(word) > 1]


def sentences(text: str) -> list[str]:
    """The sentences and lines of ``text``."""
    return [sentence for sentence in _SENTENCE.split(text) if sentence.strip()]


def count_tokens(text: str) -> int:
    """How many tokens ``text`` has: here a token is a word or a sign."""
    return len(_TOKEN.findall(text))


def pieces(text: str) -> list[str]:
    """``text`` cut into its tokens, each with the space before it."""
    return _PIECE.findall(text.rstrip())


def draw(options: Sequence[T], *key: object) -> T:
    """One of ``options``, always the same for the same ``key``."""
    return options[number(*key) % len(options)]


def number(*key: object) -> int:
    """64 bits that follow from ``key`` alone."""
    digest = hashlib.blake2b("\x1f".join(map(str, key)).encode(errors="replace"), digest_size=8)
    return int.from_bytes(digest.digest(), "big")

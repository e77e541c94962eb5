"""The features of a text: its character and word n-grams, each hashed to one of 2^18 buckets.

There is no list of words. The n-grams are taken of the folded words with one space between them,
so that case, width, punctuation and layout count for nothing. All hashing is numpy's, on whole
arrays: polynomial hashes modulo 2^32, of which the upper bits name the bucket.

numpy lets go of the interpreter's lock where it picks elements by index, and in arithmetic on more
than 500 of them. Where other threads wait for it, that costs more than all else here; so n-grams
are worked out length by length, and what stands at the words is picked by a mask.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BITS = 18
#: Words that are hashed at a time, so that memory stays small and other threads get their turn.
BLOCK = 4_096
#: Characters of an n-gram. They may reach over a space: "of the" holds "f_th".
CHARACTERS = (3, 4, 5)
WORDS = (1, 2, 3)
#: Characters of a word that are looked at where words are so long that they are none.
_LONGEST = 16

Indices = NDArray[np.uint32]


class Hashed(NamedTuple):
    """The n-grams of a portion of a text.

    ``buckets`` has those of every length of ``CHARACTERS``, one for each byte at which an n-gram
    starts, and behind them those of every length of ``WORDS``, one for each word. ``sizes`` are how
    many there are of each length. ``starts`` is the byte at which each word's part starts (the
    space before it).
    """

    buckets: Indices
    sizes: tuple[int, ...]
    starts: NDArray[np.intp]


_SHIFT = np.uint32(32 - BITS)
_BASE = np.uint32(0x01000193)
_SPREAD = np.uint32(0x9E3779B1)
_WORD_BASE = np.uint32(0x85EBCA6B)
_PAIR = np.uint32(0xC2B2AE35)
_SPACE = 32


def _powers(base: int, count: int) -> Indices:
    factors = np.full(count, base % 2**32, np.uint32)
    factors[0] = 1
    return np.multiply.accumulate(factors, dtype=np.uint32)


_POWERS = _powers(int(_WORD_BASE), BLOCK * (4 * _LONGEST + 1) + 1)
_INVERSES = _powers(pow(int(_WORD_BASE), -1, 2**32), _POWERS.size)


def features(words: Sequence[str]) -> list[Hashed]:
    """The features of a text of any length, ``BLOCK`` words each."""
    return [hashed(words[start : start + BLOCK]) for start in range(0, len(words), BLOCK)]


def hashed(words: Sequence[str]) -> Hashed:
    """The features of one to ``BLOCK`` words."""
    text = " ".join(words)
    raw = np.frombuffer(f" {text} ".encode("utf-8", "replace"), np.uint8)
    if raw.size > _POWERS.size:
        return hashed([word[:_LONGEST] for word in words])
    spaces = raw == _SPACE
    grams = [*_of_characters(raw), *_of_words(raw, spaces)]
    return Hashed(np.concatenate(grams), tuple(map(len, grams)), spaces[:-1].nonzero()[0])


def _of_characters(raw: NDArray[np.uint8]) -> Iterator[Indices]:
    spread = raw * _SPREAD
    grams = spread[:-1] * _BASE + spread[1:]
    for size in CHARACTERS:
        grams = grams[:-1] * _BASE + spread[size - 1 :]
        yield grams >> _SHIFT


def _of_words(raw: NDArray[np.uint8], spaces: NDArray[np.bool_]) -> Iterator[Indices]:
    sums = (raw[:-1] * _POWERS[: raw.size - 1]).cumsum(dtype=np.uint32)
    starts, ends = spaces[:-1], spaces[1:]
    word = (sums[ends] - sums[starts]) * _INVERSES[: sums.size][starts]
    word ^= word >> np.uint32(15)
    yield (word * _PAIR) >> _SHIFT
    spread = word * _SPREAD
    grams = spread
    for size in WORDS[1:]:
        grams = grams[:-1] * _PAIR + spread[size - 1 :]
        yield grams >> _SHIFT

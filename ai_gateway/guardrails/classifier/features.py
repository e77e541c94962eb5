"""The features of a text: its character and word n-grams, each hashed to one of 2^18 buckets.

There is no list of words. The n-grams are taken of the folded words with one space between them,
so that case, width, punctuation and layout count for nothing. All hashing is numpy's, on whole
arrays: polynomial hashes modulo 2^32, of which the upper bits name the bucket. On a text of a few
hundred characters each call of numpy costs more than what it does, so all lengths of n-grams are
worked out by one product of a matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BITS = 18
#: Where a text ends before an n-gram does: the bucket of nothing.
ABSENT = 1 << BITS
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

    ``of_characters`` has a row for each byte at which they start and a column for each length of
    ``CHARACTERS``, ``of_words`` a row for each word and a column for each length of ``WORDS``.
    ``starts`` is the byte at which each word's part starts (the space before it).
    """

    of_characters: Indices
    of_words: Indices
    starts: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Lengths:
    """N-grams of some lengths, the longest last.

    ``factors`` has a row for each place in the longest and a column for each length: its product
    with what stands at the places is the hash. ``least`` has a row for each of the last places of a
    text, with ``ABSENT`` for n-grams that would reach over its end, and zeros.
    """

    factors: Indices
    least: Indices

    @classmethod
    def of(cls, sizes: Sequence[int], base: int, spread: int) -> _Lengths:
        longest = sizes[-1]
        factors = np.zeros((longest, len(sizes)), np.uint32)
        for column, size in enumerate(sizes):
            for place in range(size):
                factors[place, column] = spread * base ** (size - 1 - place) % 2**32
        left = np.arange(longest - 1, 0, -1)[:, None]
        return cls(factors, (left < np.array(sizes)) * np.uint32(ABSENT))

    def hash(self, values: Indices, count: int) -> Indices:
        """The buckets of the first ``count`` places; behind them as many zeros as are needed."""
        longest = len(self.factors)
        # sliding_window_view does the same in ten times the time.
        places = np.ndarray((count, longest), values.dtype, values, 0, values.strides * 2)
        found: Indices = places @ self.factors
        found >>= _SHIFT
        last = found[1 - longest :]
        np.maximum(last, self.least[-len(last) :], out=last)
        return found


_SHIFT = np.uint32(32 - BITS)
_MIX = np.uint32(15)
_SPREAD = 0x9E3779B1
_WORD_BASE = 0x85EBCA6B
_PAIR = 0xC2B2AE35
_SPACE = np.uint32(ord(" "))

_OF_CHARACTERS = _Lengths.of(CHARACTERS, 0x01000193, _SPREAD)
_OF_WORDS = _Lengths.of(WORDS, _PAIR, _SPREAD)
# A word by itself is mixed otherwise.
_OF_WORDS.factors[0, 0] = _PAIR
_NOTHING = "\0" * (CHARACTERS[-1] - 1)


def _powers(base: int, count: int) -> Indices:
    factors = np.full(count, base % 2**32, np.uint32)
    factors[0] = 1
    return np.multiply.accumulate(factors, dtype=np.uint32)


_POWERS = _powers(_WORD_BASE, BLOCK * (4 * _LONGEST + 1) + 1)
_INVERSES = _powers(pow(_WORD_BASE, -1, 2**32), _POWERS.size)


def features(words: Sequence[str]) -> list[Hashed]:
    """The features of a text of any length, ``BLOCK`` words each."""
    return [hashed(words[start : start + BLOCK]) for start in range(0, len(words), BLOCK)]


def hashed(words: Sequence[str]) -> Hashed:
    """The features of one to ``BLOCK`` words."""
    text = f" {' '.join(words)} {_NOTHING}".encode("utf-8", "replace")
    count = len(text) - len(_NOTHING)
    if count > _POWERS.size:
        return hashed([word[:_LONGEST] for word in words])
    # Of one type from here on: to change it within an operation costs more than the operation.
    raw = np.frombuffer(text, np.uint8).astype(np.uint32)
    before = raw[: count - 1] == _SPACE
    starts = before.nonzero()[0]
    named = _words(raw[: count - 1], before, starts)
    return Hashed(_OF_CHARACTERS.hash(raw, count), _OF_WORDS.hash(named, starts.size), starts)


def _words(raw: Indices, before: NDArray[np.bool_], starts: NDArray[np.intp]) -> Indices:
    """The hash of each word, wherever it stands, and zeros behind the last."""
    sums = np.add.reduceat(raw * _POWERS[: raw.size], starts, dtype=np.uint32)
    sums *= _INVERSES[: raw.size][before]
    sums -= _SPACE
    found = np.zeros(starts.size + WORDS[-1] - 1, np.uint32)
    np.bitwise_xor(sums, sums >> _MIX, out=found[: starts.size])
    return found

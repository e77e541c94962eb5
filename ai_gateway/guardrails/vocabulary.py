"""The words that policies look for, put back together where a text took them apart.

Three things are undone: digits and signs for letters (``b0mb``), a word taken apart (``b o m b``,
``b-o-m-b``, ``bo mb``), words run together (``howtomakeabomb``). Only words of the policies' own
vocabulary are put back, so that ordinary text stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise

#: What a digit or a sign in a word stands for. 1 stands for l and for i, so both become i.
_LEET = str.maketrans("01l!|3@4$56789", "oiiiieaassgtbg")
_SIGNS = re.compile(r"[@$!|]+")

#: Words that stand between those of a policy in words run together.
_GLUE = frozenset(("a", "an", "the", "to", "how", "do", "i", "you", "me", "of", "for", "with"))
_RUN_TOGETHER = 8  # letters, at least
_LONGEST_RUN = 100
_SHORTEST_HIDDEN = 3  # letters of a word that is put back

#: Words from the first to before the last, and what stands in their place.
Edit = tuple[int, int, tuple[str, ...]]


class Vocabulary:
    """The words that policies look for, prepared for putting them back together."""

    __slots__ = ("_longest", "_parts", "_skeletons", "_split", "words")

    def __init__(self, words: Iterable[str]) -> None:
        self.words = frozenset(words)
        known = self.words | _GLUE
        self._longest = max(map(len, known))
        self._parts = {word[:end] for word in known for end in range(1, len(word) + 1)}
        self._skeletons = {
            word.translate(_LEET): word
            for word in sorted(self.words)
            if len(word) >= _SHORTEST_HIDDEN
        }

        # Ordinary text repeats its words; at 100 characters each the cache stays under 3 MB.
        self._split = lru_cache(maxsize=10_000)(self._split_once)

    def spelled(self, words: list[str]) -> Iterator[Edit]:
        """Words with digits or signs in them, read as letters."""
        for at in [i for i, word in enumerate(words) if not word.isalpha()]:
            word = words[at]
            if word in self.words or (word.isdigit() and not _stands_alone(words, at)):
                continue
            read = self._read(word)
            if read != (word,):
                yield at, at + 1, read

    def _read(self, word: str) -> tuple[str, ...]:
        if whole := self._skeletons.get(word.translate(_LEET)):
            return (whole,)
        if len(word) == 1:
            return tuple(_SIGNS.sub("", word).translate(_LEET))
        pieces = (piece for piece in _SIGNS.split(word) if piece)
        return tuple(
            piece if piece.isalpha() else self._skeletons.get(piece.translate(_LEET), piece)
            for piece in pieces
        )

    def apart(self, words: list[str]) -> Iterator[Edit]:
        """Words that were taken apart, the longest that can be put together at each place."""
        parts, free = self._parts, 0
        for at in [i for i, (a, b) in enumerate(pairwise(words)) if a in parts and a + b in parts]:
            if at >= free and (found := self._join(words, at)):
                yield found
                free = found[1]

    def _join(self, words: list[str], start: int) -> Edit | None:
        joined, found = words[start], None
        whole = joined in self.words  # two words of the vocabulary stay two: credit card
        for stop in range(start + 1, min(start + self._longest, len(words))):
            joined += words[stop]
            whole = whole and words[stop] in self.words
            if joined not in self._parts:
                break
            if joined in self.words and len(joined) >= _SHORTEST_HIDDEN and not whole:
                found = (start, stop + 1, (joined,))
        return found

    def together(self, words: list[str]) -> Iterator[Edit]:
        """Words that were run together, where known words make up all of them."""
        for at in [i for i, word in enumerate(words) if len(word) >= _RUN_TOGETHER]:
            # Longer ones stay out of the cache, too.
            if len(words[at]) > _LONGEST_RUN:
                continue
            if pieces := self._split(words[at]):
                yield at, at + 1, pieces

    def _split_once(self, word: str) -> tuple[str, ...]:
        """The fewest known words that ``word`` is made of, or nothing."""
        if word in self.words or word[:2] not in self._parts:
            return ()
        reached: dict[int, tuple[str, ...]] = {0: ()}
        for start in range(len(word)):
            if start in reached:
                for piece in self._pieces(word, start):
                    way = (*reached[start], piece)
                    stop = start + len(piece)
                    if stop not in reached or len(way) < len(reached[stop]):
                        reached[stop] = way
        pieces = reached.get(len(word), ())
        # Short ones meet in ordinary words: for-getting, to-get-her.
        long = [piece for piece in pieces if len(piece) > _SHORTEST_HIDDEN]
        return pieces if len(long) > 1 else ()

    def _pieces(self, word: str, start: int) -> Iterator[str]:
        for stop in range(start + 1, min(start + self._longest, len(word)) + 1):
            piece = word[start:stop]
            if piece not in self._parts:
                return
            if piece in self.words or piece in _GLUE:
                yield piece


def _stands_alone(words: list[str], at: int) -> bool:
    """Whether a single digit stands among single letters, as in ``b 0 m b``."""
    around = [words[at - 1] if at else "", words[at], *words[at + 1 : at + 2]]
    return [len(word) for word in around] == [1, 1, 1]

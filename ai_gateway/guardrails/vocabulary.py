"""The words that policies look for, put back together where a text took them apart.

Four things are undone: letters that are starred (``b*mb``), digits and signs for letters
(``b0mb``), a word taken apart (``b o m b``, ``b-o-m-b``, ``bo mb``), words run together
(``howtomakeabomb``). Only words of the policies' own vocabulary are put back, so that ordinary text
stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache, reduce
from operator import add, and_

from ai_gateway.guardrails.linear import compiled
from ai_gateway.guardrails.unpack import rot13

#: What a digit or a sign in a word stands for. 1 stands for l and for i, so both become i.
_LEET = str.maketrans("01l!|3@4$56789", "oiiiieaassgtbg")
_SIGNS = re.compile(r"[@$!|]+")

#: Words that stand between those of a policy in words run together.
_GLUE = frozenset(("a", "an", "the", "to", "how", "do", "i", "you", "me", "of", "for", "with"))
_RUN_TOGETHER = 8  # letters, at least
_LONGEST_RUN = 100
_SHORTEST_HIDDEN = 3  # letters of a word that is put back
_SHORTEST_STARRED = 4
_STARRED = 3  # one letter in so many may be a star
_STARS = str.maketrans("_", "*")
#: From its first letter on; what stands before that is seen to afterwards.
_MASKED = compiled(rb"\b[a-z0-9@$!|]+[*_][a-z0-9@$!|*_]*")

#: Words from the first to before the last, and what stands in their place.
Edit = tuple[int, int, tuple[str, ...]]


class Vocabulary:
    """The words that policies look for, prepared for putting them back together."""

    __slots__ = (
        "_by_letter", "_longest", "_parts", "_skeletons", "_split", "_starred", "turned", "words"
    )  # fmt: skip

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
        #: Words of one length; and the set of those (bits) that have one letter at one place.
        self._starred: dict[int, list[str]] = {}
        self._by_letter: dict[tuple[int, int, str], int] = {}
        for read, word in self._skeletons.items():
            if len(word) >= _SHORTEST_STARRED:
                self._add_starred(read, word)
        #: Words that betray rot13.
        self.turned = rot13(self.words) if self.words else frozenset()

        # Ordinary text repeats its words; at 100 characters each the cache stays under 3 MB.
        self._split = lru_cache(maxsize=10_000)(self._split_once)

    def _add_starred(self, read: str, word: str) -> None:
        alike = self._starred.setdefault(len(word), [])
        for at, letter in enumerate(read):
            key = len(word), at, letter
            self._by_letter[key] = self._by_letter.get(key, 0) | 1 << len(alike)
        alike.append(word)

    def masked(self, folded: str) -> list[tuple[int, int, str]]:
        """Words with stars for letters: their places in the folded text, and what they are."""
        if "*" not in folded and "_" not in folded:
            return []
        found = []
        for match in _MASKED.finditer(folded.encode("ascii", "replace")):
            start, stop = match.span()
            token = folded[start:stop].rstrip("!|@")
            # What begins with a star is emphasis, or a name of Python's.
            if folded[start - 1 : start] not in ("*", "_") and (word := self._unstarred(token)):
                found.append((start, start + len(token), word))
        return found

    def _unstarred(self, token: str) -> str | None:
        """The one word that a token with stars can be, or nothing."""
        length = len(token)
        if length not in self._starred or token.rstrip("*_") in self.words:
            return None
        letters = token.translate(_LEET).translate(_STARS)
        if letters.count("*") * _STARRED > length:
            return None
        keys = ((length, at, letter) for at, letter in enumerate(letters) if letter != "*")
        fitting = reduce(and_, (self._by_letter.get(key, 0) for key in keys))
        one = fitting and not fitting & (fitting - 1)
        return self._starred[length][fitting.bit_length() - 1] if one else None

    def spelled(self, words: list[str]) -> Iterator[Edit]:
        """Words with digits or signs in them, read as letters."""
        if "".join(words).isalpha():
            return
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
        pairs = list(map(add, words, words[1:]))
        if parts.isdisjoint(pairs):
            return
        for at in [i for i, pair in enumerate(pairs) if pair in parts]:
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

"""A text as the words that it says, whatever was done to hide them.

``fold`` undoes what was done to characters, ``Vocabulary`` what was done to words; a place in the
result leads back to the text as it was sent. Every step is linear in the text's length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from ai_gateway.guardrails.fold import SLICE, fold, origins
from ai_gateway.guardrails.vocabulary import Edit, Vocabulary

_ASCII_TOKEN = re.compile(r"[a-z0-9@$!|]+")
_TOKEN = re.compile(r"[\w@$!|]+")
_GAP = re.compile(r"[^\w@$!|]")


class Normalised:
    """A text (``source``) and the words that it says."""

    __slots__ = ("_first", "_folded", "_last", "_offsets", "_origins", "source", "words")

    def __init__(self, source: str, vocabulary: Vocabulary) -> None:
        self.source = source
        self._folded = fold(source)
        self.words = list(chain.from_iterable(_tokens(self._folded)))
        #: The first and the last token of each word.
        self._first: Sequence[int] = range(len(self.words))
        self._last: Sequence[int] = self._first
        #: Where each token stands in the folded text, and each of its characters in the source.
        self._offsets: list[tuple[int, int]] | None = None
        self._origins: Sequence[int] = ()
        for step in (vocabulary.spelled, vocabulary.apart, vocabulary.together):
            if edits := list(step(self.words)):
                self._apply(edits)

    def _apply(self, edits: list[Edit]) -> None:
        words: list[str] = []
        first: list[int] = []
        last: list[int] = []
        done = 0
        for start, stop, replacement in edits:
            words += self.words[done:start]
            words += replacement
            first += self._first[done:start]
            first += [self._first[start]] * len(replacement)
            last += self._last[done:start]
            last += [self._last[stop - 1]] * len(replacement)
            done = stop
        self.words = words + self.words[done:]
        self._first = [*first, *self._first[done:]]
        self._last = [*last, *self._last[done:]]

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Where the words from ``first`` to ``last`` stand in the source, in characters."""
        if self._offsets is None:
            self._offsets = self._locate()
            self._origins = origins(self.source)
        start, _ = self._offsets[self._first[first]]
        begin, stop = self._offsets[self._last[last]]
        # Signs may stand for letters within a word; at its end they are punctuation.
        token = self._folded[begin:stop]
        length = len(token.rstrip("!|@")) or len(token)
        return self._origins[start], self._origins[begin + length - 1] + 1

    def _locate(self) -> list[tuple[int, int]]:
        pattern = _pattern(self._folded)
        return [
            match.span()
            for start, stop in _slices(self._folded)
            for match in pattern.finditer(self._folded, start, stop)
        ]


def _tokens(folded: str) -> Iterator[list[str]]:
    pattern = _pattern(folded)
    for start, stop in _slices(folded):
        yield pattern.findall(folded, start, stop)


def _pattern(folded: str) -> re.Pattern[str]:
    return _ASCII_TOKEN if folded.isascii() else _TOKEN


def _slices(folded: str) -> Iterator[tuple[int, int]]:
    """Parts of a long text that end between words, so that other threads get their turn."""
    start = 0
    while start < len(folded):
        stop = min(start + SLICE, len(folded))
        gap = _GAP.search(folded, stop, stop + SLICE)
        stop = gap.start() if gap else min(stop + SLICE, len(folded))
        yield start, stop
        start = stop


def words_of(text: str) -> list[str]:
    """The words of a phrase as a policy writes it."""
    return Normalised(text, _NO_WORDS).words


_NO_WORDS = Vocabulary(())

"""A text as the words that it says, whatever was done to hide them.

``fold`` undoes what was done to characters, ``Vocabulary`` what was done to words; a place in the
result leads back to the text as it was sent. Every step is linear in the text's length.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

from ai_gateway.guardrails.fold import SLICE, fold, origins
from ai_gateway.guardrails.vocabulary import Edit, Vocabulary

_ASCII_TOKEN = re.compile(r"[a-z0-9@$!|]+")
_TOKEN = re.compile(r"[\w@$!|]+")
#: A space for each byte that is of no token.
_ASCII_GAPS = bytes(byte if _ASCII_TOKEN.match(chr(byte)) else 32 for byte in range(256))
_GAP = re.compile(r"[^\w@$!|]")


class Normalised:
    """A text (``source``), and the words that it says, worked out when they are asked for."""

    __slots__ = (
        "_first", "_folded", "_last", "_offsets", "_origins", "_vocabulary", "_words", "memo",
        "source", "stage",
    )  # fmt: skip

    def __init__(self, source: str, vocabulary: Vocabulary, stage: str = "input") -> None:
        self.source = source
        #: Who says it: input, system, tool or output.
        self.stage = stage
        #: What checks worked out about the text, for one another.
        self.memo: dict[str, Any] = {}
        self._vocabulary = vocabulary
        self._folded: str | None = None
        self._words: list[str] | None = None
        #: The first and the last token of each word.
        self._first: Sequence[int] = ()
        self._last: Sequence[int] = ()
        #: Where each token stands in the folded text, and each of its characters in the source.
        self._offsets: list[tuple[int, int]] | None = None
        self._origins: Sequence[int] | None = None

    @property
    def folded(self) -> str:
        """The text without case, width, decoration and disguise of its characters."""
        if self._folded is None:
            self._folded = fold(self.source)
        return self._folded

    @property
    def words(self) -> list[str]:
        """The words of the text; not to be changed."""
        if self._words is None:
            self._words = _tokens(self.folded)
            self._first = self._last = range(len(self._words))
            self._put_together(self._vocabulary)
        return self._words

    def _put_together(self, vocabulary: Vocabulary) -> None:
        if masked := vocabulary.masked(self.folded):
            self._apply(list(self._unmask(masked)))
        for step in (vocabulary.spelled, vocabulary.apart, vocabulary.together):
            if edits := list(step(self.words)):
                self._apply(edits)

    def _unmask(self, masked: Sequence[tuple[int, int, str]]) -> Iterator[Edit]:
        starts = [start for start, _ in self._located()]
        done = 0
        for start, stop, word in masked:
            first, after = bisect_right(starts, start) - 1, bisect_left(starts, stop)
            # Another script's letter in the middle makes two of them one token.
            if first >= done:
                yield first, after, (word,)
                done = after

    def _apply(self, edits: list[Edit]) -> None:
        old = self.words
        words: list[str] = []
        first: list[int] = []
        last: list[int] = []
        done = 0
        for start, stop, replacement in edits:
            words += old[done:start]
            words += replacement
            first += self._first[done:start]
            first += [self._first[start]] * len(replacement)
            last += self._last[done:start]
            last += [self._last[stop - 1]] * len(replacement)
            done = stop
        self._words = words + old[done:]
        self._first = [*first, *self._first[done:]]
        self._last = [*last, *self._last[done:]]

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Where the words from ``first`` to ``last`` stand in the source, in characters."""
        offsets = self._located()
        start, _ = offsets[self._first[first]]
        begin, stop = offsets[self._last[last]]
        # Signs may stand for letters within a word; at its end they are punctuation.
        token = self.folded[begin:stop]
        length = len(token.rstrip("!|@")) or len(token)
        return self.place(start, begin + length)

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Where ``start`` to ``end`` of the folded text stand in the source; not nothing."""
        if self._origins is None:
            self._origins = origins(self.source)
        return self._origins[start], self._origins[end - 1] + 1

    def _located(self) -> list[tuple[int, int]]:
        if self._offsets is None:
            pattern = _pattern(self.folded)
            self._offsets = [
                match.span()
                for start, stop in _slices(self.folded)
                for match in pattern.finditer(self.folded, start, stop)
            ]
        return self._offsets


def _tokens(folded: str) -> list[str]:
    split = _ascii_tokens if folded.isascii() else _TOKEN.findall
    if len(folded) <= SLICE:
        return split(folded)
    return [token for start, stop in _slices(folded) for token in split(folded[start:stop])]


def _ascii_tokens(folded: str) -> list[str]:
    """What ``_ASCII_TOKEN`` finds, in half the time."""
    return folded.encode().translate(_ASCII_GAPS).decode().split()


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

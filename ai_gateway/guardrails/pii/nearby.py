"""Words that make a number beside them more than a number: ``passport``, ``ssn``, ``call me``."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import re2

from ai_gateway.guardrails.pii.latin import compiled

#: How far before and after a word a number is still its own, in characters.
_AFTER_WORD = 50
_BEFORE_WORD = 15
_GAPS = b" '-\t\n"


@dataclass(slots=True)
class Nearby:
    """Where the words of each type stand in one text."""

    starts: dict[str, list[int]] = field(default_factory=dict)
    ends: dict[str, list[int]] = field(default_factory=dict)

    def __contains__(self, kind: str) -> bool:
        """Whether the text has a word of the type at all."""
        return kind in self.starts

    def places(self, kind: str) -> Iterable[tuple[int, int]]:
        """Where each word of the type starts and ends."""
        return zip(self.starts.get(kind, ()), self.ends.get(kind, ()), strict=True)

    def near(self, kind: str, start: int, end: int) -> bool:
        """Whether a word of the type stands before or behind that place."""
        starts = self.starts.get(kind)
        if starts is None:
            return False
        at = bisect_left(starts, start)
        if at and start - self.ends[kind][at - 1] <= _AFTER_WORD:
            return True
        at = bisect_left(starts, end, at)
        return at < len(starts) and starts[at] - end <= _BEFORE_WORD


class Words:
    """The words of all types, found in one pass."""

    __slots__ = ("_pattern", "_types")

    def __init__(self, words: Mapping[str, Iterable[str]]) -> None:
        """``words``: a type → phrases in lower case, ASCII, their words apart."""
        self._types: dict[bytes, list[str]] = {}
        phrases = set()
        for kind, written in words.items():
            for phrase in written:
                self._types.setdefault(phrase.replace(" ", "").encode(), []).append(kind)
                phrases.add(r"[ '\-\t\n]?".join(map(re2.escape, phrase.split())))
        # Also within identifiers: cardNumber, dateOfBirth, phones.
        union = "|".join(sorted(phrases, key=lambda phrase: (-len(phrase), phrase)))
        pattern = rf"(?i)\b({union})(?:s|numbers?|num|no|nr|id|code)?\b"
        self._pattern = compiled(pattern) if phrases else None

    def of(self, data: bytes) -> Nearby:
        """Where each type's words stand in ``data``."""
        found = Nearby()
        if self._pattern is None:
            return found
        for match in self._pattern.finditer(data):
            start, end = match.span(1)
            for kind in self._types[data[start:end].lower().translate(None, _GAPS)]:
                found.starts.setdefault(kind, []).append(start)
                found.ends.setdefault(kind, []).append(end)
        return found

"""Personal data whose length varies, found by a pattern of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ai_gateway.guardrails.pii.hit import Hit
from ai_gateway.guardrails.pii.joints import goes_on_before, goes_on_behind
from ai_gateway.guardrails.pii.nearby import Nearby
from ai_gateway.guardrails.pii.reading import Reading


@dataclass(frozen=True, slots=True)
class Patterned:
    """A type by a pattern; ``score`` is told each candidate and says 0 where it is none.

    A text without ``guard`` is not searched. A candidate that one of ``joints`` joins to a letter
    or a digit is part of something longer. Near one of ``words`` a candidate scores ``near``; with
    ``only_near`` it counts only there.
    """

    type: str
    guard: bytes
    pattern: Any
    score: Callable[[bytes], float]
    joints: bytes = b""
    words: Sequence[str] = ()
    near: float = 1.0
    only_near: bool = False

    def find(self, reading: Reading, nearby: Nearby) -> Iterator[Hit]:
        """Each candidate that scores."""
        data = reading.data
        if self.guard not in data or (self.only_near and self.type not in nearby):
            return
        for match in self.pattern.finditer(data):
            start, end = match.span()
            score = self.score(data[start:end])
            if not score or self._is_part(data, start, end):
                continue
            if self.words and nearby.near(self.type, start, end):
                yield Hit(start, end, self.type, self.near)
            elif not self.only_near:
                yield Hit(start, end, self.type, score)

    def _is_part(self, data: bytes, start: int, end: int) -> bool:
        """Whether it is part of something longer."""
        return (
            data[max(0, start - 1) : start].isalnum()
            or goes_on_before(data, start, self.joints, bytes.isalnum)
            or goes_on_behind(data, end, self.joints, bytes.isalnum)
        )

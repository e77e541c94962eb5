"""What a recogniser found, and which of two that overlap is meant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from ai_gateway.guardrails.pii.nearby import Nearby
from ai_gateway.guardrails.pii.reading import Reading


class Hit(NamedTuple):
    """Bytes of a reading that are personal data of a type, and how sure that is (0..1)."""

    start: int
    end: int
    type: str
    score: float


class Recogniser(Protocol):
    """Finds personal data of one type, or of several that look alike."""

    def find(self, reading: Reading, nearby: Nearby) -> Iterable[Hit]:
        """All hits, in any order; they may overlap."""


def best(hits: Iterable[Hit]) -> list[Hit]:
    """``hits`` by their place: of two that overlap the surer one, of two as sure the longer."""
    kept: list[Hit] = []
    for hit in sorted(hits):
        if not kept or hit.start >= kept[-1].end:
            kept.append(hit)
        elif _rank(hit) > _rank(kept[-1]):
            kept[-1] = hit
    return kept


def _rank(hit: Hit) -> tuple[float, int]:
    return hit.score, hit.end - hit.start

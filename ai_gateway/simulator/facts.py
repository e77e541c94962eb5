"""The small base of facts that the models answer from and the judge compares with.

``facts.json`` holds for each subject its names, the points of a full answer and one statement that
is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import orjson

from ai_gateway.simulator import text

#: A longer text only mentions a subject; it does not ask for it.
_LONGEST_QUESTION = 40


@dataclass(frozen=True, slots=True)
class Fact:
    """A subject: its names (the first is the title), what is true of it, and what is not."""

    names: tuple[str, ...]
    points: tuple[str, ...]
    wrong: str

    @property
    def title(self) -> str:
        """What the subject is called in a sentence."""
        return self.names[0]


@cache
def facts() -> tuple[Fact, ...]:
    """All facts, read once."""
    rows = orjson.loads(Path(__file__).with_name("facts.json").read_bytes())
    return tuple(Fact(tuple(row["names"]), tuple(row["points"]), row["wrong"]) for row in rows)


@cache
def _names() -> tuple[tuple[str, Fact], ...]:
    return tuple(
        (f" {' '.join(text.stems(name))} ", fact) for fact in facts() for name in fact.names
    )


def find(question: str) -> Fact | None:
    """The fact that ``question`` asks for: the first subject it names, the longest name of it."""
    stems = text.stems(question)
    if len(stems) > _LONGEST_QUESTION:
        return None
    sought = f" {' '.join(stems)} "
    hits = [(sought.index(name), -len(name), fact) for name, fact in _names() if name in sought]
    return min(hits, key=lambda hit: hit[:2])[2] if hits else None

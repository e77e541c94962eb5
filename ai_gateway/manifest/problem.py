"""One thing that is wrong in a file of the bundle, said so that it can be put right."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """Where it is (file, line from 1, dotted key), what was found there, what would be right."""

    file: str
    line: int | None
    key: str
    found: str
    wanted: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        subject = f"{place}: {self.key}" if self.key else place
        return " ".join(f"{subject}: found {self.found}, wanted {self.wanted}".split())


def counted(problems: Sized) -> str:
    """``1 problem``, ``2 problems``."""
    return f"{len(problems)} problem{'' if len(problems) == 1 else 's'}"

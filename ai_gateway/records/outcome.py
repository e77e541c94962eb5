"""What a recorded request counts as, wherever that is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Surfaces of calls that no caller made.
OWN: Final = ("judge", "shadow", "cache", "guard")
#: Statuses from which on a request was not served, and from which on it failed.
REFUSED, FAILED = 400, 500


@dataclass(frozen=True, slots=True)
class Count:
    """Requests of one route in one window; ``slow`` ones are of those that were served."""

    served: int = 0
    failed: int = 0
    slow: int = 0

    @property
    def total(self) -> int:
        """Those that count for its availability."""
        return self.served + self.failed

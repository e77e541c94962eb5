"""Where the time comes from. Everything that needs it is handed a Clock; this is the machine's."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A test hands in one that it moves itself."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds that never run back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's own time. A request asks for it some twenty times, so nothing is between."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

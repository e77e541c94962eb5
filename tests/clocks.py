"""A clock for tests."""

from dataclasses import dataclass


@dataclass
class Moved:
    """A clock that a test moves, and whoever sleeps; seconds."""

    time: float = 100.0

    def now(self) -> float:
        """The time, as if since the epoch."""
        return self.time

    def monotonic(self) -> float:
        """The same."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Wait for nobody."""
        self.time += seconds

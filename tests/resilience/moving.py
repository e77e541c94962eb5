"""A clock that a test moves."""


class MovingClock:
    """Stands still until it is moved."""

    def __init__(self, at: float = 1000.0) -> None:
        self.at = at

    def now(self) -> float:
        return self.at + 1_700_000_000

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds

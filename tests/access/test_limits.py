"""Limits count what they say, and tell when to come again."""

from dataclasses import dataclass

import pytest

from ai_gateway.access.limits import Limits
from ai_gateway.errors import RateLimited
from ai_gateway.manifest.units import Rate


@dataclass
class Clock:
    """A clock that a test moves."""

    time: float = 1200.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def test_so_many_pass_and_no_more() -> None:
    """The limit's number passes in a window; the next is refused with the window's end."""
    clock = Clock()
    limits = Limits(clock)
    for _ in range(3):
        limits.take("inference", "admin", Rate(3, 60))
    clock.time += 10
    with pytest.raises(RateLimited) as refused:
        limits.take("inference", "admin", Rate(3, 60))
    assert refused.value.headers == {"retry-after": "50"}


def test_a_new_window_begins_at_nothing() -> None:
    """Who waited as long as he was told passes."""
    clock = Clock()
    limits = Limits(clock)
    limits.take("inference", "admin", Rate(1, 60))
    clock.sleep(60)
    limits.take("inference", "admin", Rate(1, 60))


def test_callers_and_routes_are_counted_apart() -> None:
    """One caller's use of one route takes nothing from others."""
    limits = Limits(Clock())
    for route in ("inference", "guardrail"):
        for caller in ("admin", "platform:alice"):
            limits.take(route, caller, Rate(1, 60))

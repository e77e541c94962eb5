"""What is known of one request's limits: whether they were taken, and what its caller is told."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Final, NamedTuple

_PARTS: Final = ("limit", "remaining", "reset")
_UNITS: Final = ("requests", "tokens")
_NAMES: Final = {unit: tuple(f"x-ratelimit-{part}-{unit}" for part in _PARTS) for unit in _UNITS}
_ANTHROPICS: Final = {
    unit: tuple(f"anthropic-ratelimit-{unit}-{part}" for part in _PARTS) for unit in _UNITS
}


class Shown(NamedTuple):
    """A limit as headers tell it: its cap, what is left of it, and seconds until it is whole."""

    cap: int
    left: int
    wait: float


@dataclass(slots=True)
class Meter:
    """One request's; all copies of its Event share it."""

    #: Its caller is known, so that whatever becomes of it counts.
    arrived: bool = False
    #: It was counted as a request.
    counted: bool = False
    #: The tightest limit of ``requests`` and of ``tokens``.
    shown: dict[str, Shown] = field(default_factory=dict)

    def show(self, unit: str, shown: Shown) -> None:
        """Tell of this limit, unless a tighter one is told of."""
        known = self.shown.get(unit)
        if known is None or shown.left < known.left:
            self.shown[unit] = shown

    def headers(self, shape: str, now: float) -> dict[str, str]:
        """By the names that the SDKs of a route with errors of ``shape`` know."""
        anthropic, found = shape == "anthropic", dict[str, str]()
        for unit, told in self.shown.items():
            cap, left, reset = (_ANTHROPICS if anthropic else _NAMES)[unit]
            found[cap] = str(told.cap)
            found[left] = str(max(0, told.left))
            found[reset] = _at(now, told) if anthropic else seconds(told.wait)
        return found


def seconds(wait: float) -> str:
    """As OpenAI writes them: ``1s``, ``6m0s``, ``1h0m0s``; never less than is to be waited."""
    minutes, rest = divmod(max(0, math.ceil(wait)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _at(now: float, told: Shown) -> str:
    """As Anthropic writes it: a time by RFC 3339."""
    moment = datetime.fromtimestamp(math.ceil(now + told.wait), timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

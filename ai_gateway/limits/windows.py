"""When a window ends. A rate's begins with its first request, a budget's with the day or month."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Final

#: A rate's window in seconds, or a budget's by name.
Span = int | str
_DAY: Final = 86400
_LONGEST: Final = timedelta(days=31)


def start(window: str, now: float) -> float:
    """When the day or month began that ``now`` lies in, UTC; seconds since the epoch."""
    if window == "day":
        return now // _DAY * _DAY
    day = datetime.fromtimestamp(now, timezone.utc).replace(hour=0, minute=0, second=0)
    return day.replace(day=1, microsecond=0).timestamp()


def end(window: Span, now: float) -> float:
    """When the window ends that ``now`` lies in, or that begins now."""
    if isinstance(window, int):
        return now + window
    if window == "day":
        return (now // _DAY + 1) * _DAY
    first = datetime.fromtimestamp(start(window, now), timezone.utc)
    return (first + _LONGEST).replace(day=1).timestamp()

"""Durations, rates and names as an operator writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, StringConstraints, WithJsonSchema

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_WINDOWS = {
    "s": 1,
    "sec": 1,
    "second": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hour": 3600,
}
_WINDOWS |= {"d": 86400, "day": 86400}


def duration(value: object) -> float:
    """Seconds from ``500ms``, ``30s``, ``5m``, ``1h``, ``7d``, or a plain number of seconds."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value)
    else:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", str(value).strip())
        if not match:
            raise ValueError("a duration is a number and a unit: 500ms, 30s, 5m, 1h or 7d")
        seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds <= 0:
        raise ValueError("a duration is longer than nothing")
    return seconds


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds."""

    limit: int
    seconds: int


def rate(value: object) -> Rate:
    """A Rate from ``100`` (a minute) or ``100/min``, ``5/s``, ``1000/day``."""
    match = re.fullmatch(r"(\d+)(?:\s*/\s*([a-z]+))?", str(value).strip())
    unit = match[2] or "min" if match else ""
    if isinstance(value, bool) or not match or unit not in _WINDOWS or int(match[1]) < 1:
        raise ValueError(
            "a rate is a count of at least 1, a minute or with its window: 100, 100/min, 5/s"
        )
    return Rate(int(match[1]), _WINDOWS[unit])


Duration = Annotated[
    float,
    BeforeValidator(duration),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\d+(\.\d+)?\s*(ms|s|m|h|d)$"},
                {"type": "number"},
            ]
        }
    ),
]
RateLimit = Annotated[
    Rate,
    BeforeValidator(rate),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": r"^\d+(\s*/\s*[a-z]+)?$"}, {"type": "integer"}]}
    ),
]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]

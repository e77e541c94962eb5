"""Durations, rates and names as an operator writes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

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
    seconds = _seconds(value)
    if seconds <= 0:
        raise ValueError("a duration longer than nothing")
    return seconds


def interval(value: object) -> float:
    """As ``duration``, or 0 for never."""
    seconds = _seconds(value)
    if seconds < 0:
        raise ValueError("a duration, or 0 for never")
    return seconds


def _seconds(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", str(value).strip())
    if not match:
        raise ValueError("a duration such as 500ms, 30s, 5m, 1h or 7d")
    return float(match[1]) * _SECONDS[match[2]]


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds."""

    limit: int
    seconds: int

    def __str__(self) -> str:
        return f"{self.limit} in {self.seconds} s"


def rate(value: object) -> Rate:
    """A Rate from ``100`` (a minute) or ``100/min``, ``5/s``, ``1000/day``."""
    match = re.fullmatch(r"(\d+)(?:\s*/\s*([a-z]+))?", str(value).strip())
    unit = match[2] or "min" if match else ""
    if isinstance(value, bool) or not match or unit not in _WINDOWS or int(match[1]) < 1:
        raise ValueError("a rate of at least 1, such as 100 (a minute), 100/min, 5/s or 1000/day")
    return Rate(int(match[1]), _WINDOWS[unit])


_WRITTEN = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string", "pattern": r"^\d+(\.\d+)?\s*(ms|s|m|h|d)$"},
            {"type": "number"},
        ]
    }
)
Duration = Annotated[float, BeforeValidator(duration), _WRITTEN]
Interval = Annotated[float, BeforeValidator(interval), _WRITTEN]
RateLimit = Annotated[
    Rate,
    BeforeValidator(rate),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": r"^\d+(\s*/\s*[a-z]+)?$"}, {"type": "integer"}]}
    ),
]


def matching(pattern: str, wanted: str) -> Callable[[object], object]:
    """A validator of texts that match ``pattern`` whole; ``wanted`` says so to a person."""

    def check(value: object) -> object:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError(wanted)
        return value

    return check


def printable(text: str) -> str:
    """``text``, if it can be shown to people, in a terminal too; raises ValueError."""
    if not text.isprintable():
        raise ValueError("a text of printable characters on one line")
    return text


#: What people call something or somebody.
Said = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(printable)]
NAME = r"[a-z0-9][a-z0-9._-]{0,63}"
Name = Annotated[
    str,
    BeforeValidator(matching(NAME, "a name of at most 64 of a-z, 0-9, dot, dash and underscore")),
    WithJsonSchema({"type": "string", "pattern": f"^{NAME}$"}),
]
URL_PATH = r"/(?:[^?#\s{}<>]|\{[a-z_][a-z0-9_]*\})*(?:\{[a-z_][a-z0-9_]*:path\})?"
UrlPath = Annotated[
    str,
    BeforeValidator(
        matching(
            URL_PATH, "a path that begins with / and has no ? or #, and braces only round a name"
        )
    ),
    WithJsonSchema({"type": "string", "pattern": f"^{URL_PATH}$"}),
]

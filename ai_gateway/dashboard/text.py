"""What stands in a cell: cut, plain, with units. Nothing here makes markup."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

NOTHING: Final = "\N{EN DASH}"
NOT_KEPT: Final = "(not kept: there was none, or the route's privacy keeps it out of records)"
_CELL: Final = 140
_WHOLE: Final = 100_000
_SIZES: Final = ((1e9, "G"), (1e6, "M"), (1e4, "k"))


def limited(text: str | None) -> str | None:
    """A text as it is kept for the page, where one asks for the whole of it."""
    if text is None or len(text) <= _WHOLE:
        return text
    return f"{text[:_WHOLE]}\N{HORIZONTAL ELLIPSIS} (cut: {len(text):,} characters)"


def cell(text: str | None) -> str:
    """The beginning of a text, on one line."""
    if not text:
        return NOTHING
    line = " ".join(text[: _CELL * 4].split())
    return line if len(line) <= _CELL else f"{line[:_CELL].rstrip()}\N{HORIZONTAL ELLIPSIS}"


def why(row: Mapping[str, Any]) -> str:
    """Why a request went to its model, from its decision record."""
    reasons = {"policy": _drawn(row), "pinned": "asked for by name"}
    reason = reasons.get(row["selection"], row["selection"] or NOTHING)
    if row["served"] and row["served"] != row["chosen"]:
        return f"{reason}; {row['chosen']} failed, {row['served']} answered"
    return str(reason)


def _drawn(row: Mapping[str, Any]) -> str:
    """How the routing chose: its policy, the score it went by, and how likely the choice was."""
    candidates = row["candidates"] or []
    score = next((each["score"] for each in candidates if each["model"] == row["chosen"]), None)
    parts = [str(row["routing"])]
    if score is not None:
        parts.append(f"at {score:.2f}")
    if row["propensity"] is not None:
        parts.append(f"(probability {row['propensity']:.2f})")
    return " ".join(parts)


def count(value: float | None) -> str:
    """A whole number, short: ``9,999``, ``12.3k``, ``4.5M``."""
    if value is None:
        return NOTHING
    for size, letter in _SIZES:
        if value >= size:
            return f"{value / (1e3 if letter == 'k' else size):.1f}{letter}"
    return f"{value:,.0f}"


def score(value: float | None) -> str:
    """A score in 0..1."""
    return NOTHING if value is None else f"{value:.2f}"


def interval(low: float | None, high: float | None) -> str:
    """The two ends of an interval."""
    return NOTHING if low is None or high is None else f"{low:.2f} to {high:.2f}"


def moment(time: datetime) -> str:
    """A time in UTC, to the second."""
    return f"{time:%Y-%m-%d %H:%M:%S}"


def duration(milliseconds: float | None) -> str:
    """A duration with its unit: ``87 ms``, ``1.24 s``."""
    if milliseconds is None:
        return NOTHING
    if milliseconds < 1000:  # noqa: PLR2004  below a second
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1000:.2f} s"


def money(value: float | None) -> str:
    """An amount in the currency of the manifest's prices, which names none."""
    if value is None:
        return NOTHING
    return f"{value:,.2f}" if value >= 1 or value == 0 else f"{value:.3g}"

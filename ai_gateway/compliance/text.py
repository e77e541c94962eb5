"""Service levels as a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ai_gateway.compliance.sla import OBJECTIVES, WINDOWS

_HEAD: Final = (
    *("route", "objective", "days", "requests", "target", "good", "budget left"),
    *(f"burn {name}" for name in WINDOWS),
)


def table(found: Sequence[Mapping[str, Any]]) -> str:
    """One line an objective; a dash where nothing was counted."""
    if not found:
        return "no route has an slo\n"
    rows = [_HEAD, *(row for each in found for row in _rows(each))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)


def _rows(each: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    counted = {"availability": each["served"] + each["failed"], "latency": each["served"]}
    for name in OBJECTIVES:
        if name in each:
            objective = each[name]
            under = f" under {objective['under_seconds']:g} s" if name == "latency" else ""
            yield (
                each["route"],
                name + under,
                f"{each['days']:g}",
                str(counted[name]),
                _percent(objective["target"]),
                _percent(objective["good"]),
                _percent(objective["budget_left"]),
                *(_times(objective["burn"][window]) for window in WINDOWS),
            )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.3f}".rstrip("0").rstrip(".") + "%"


def _times(burn: float | None) -> str:
    return "-" if burn is None else f"{burn:.2f}"

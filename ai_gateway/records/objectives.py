"""Counts what a service level is measured by: by route and window, in one pass over the records.

A request failed where its status is 500 or more, the gateway's own or the model's; it was served
where that is below 400. All others are the caller's (4xx, and 499 where he left) and count
neither way, and so do calls that no caller made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from ai_gateway.records import tables
from ai_gateway.records.outcome import FAILED, OWN, REFUSED, Count

if TYPE_CHECKING:
    from ai_gateway.records.store import Records

_COLUMNS: Final = ("received_at", "route", "surface", "status", "latency_ms")


def counts(
    records: Records, limits: Mapping[str, float | None], windows: Sequence[float], now: float
) -> dict[str, list[Count]]:
    """For each route of ``limits`` a Count a window: so many seconds back from ``now``.

    A limit is in milliseconds; without one nothing is slow.
    """
    wanted = [("route", "in", tables.texts(limits)), ("surface", "not in", OWN)]
    read = records.scan("requests", _COLUMNS, now - max(windows), None, wanted)
    told = pa.table({name: read[name] for name in ("route", "received_at")} | _marks(read, limits))
    found: dict[str, list[Count]] = {route: [] for route in limits}
    for window in windows:
        part = told.filter(tables.mask(told, tables.between("received_at", now - window, None)))
        names = ("served", "failed", "slow")
        sums = part.group_by("route").aggregate([(name, "sum") for name in names])
        by_route = {row["route"]: row for row in sums.to_pylist()}
        for route, told_of in found.items():
            row = by_route.get(route, {})
            told_of.append(Count(*(row.get(f"{name}_sum") or 0 for name in names)))
    return found


def _marks(read: pa.Table, limits: Mapping[str, float | None]) -> dict[str, pa.ChunkedArray]:
    """Per row, 1 where it was served, where it failed and where it was slow."""
    served = tables.mask(read, [("status", "<", REFUSED)])
    slow = pc.and_(served, pc.greater(read["latency_ms"], _limit(read, limits)))
    marks = {
        "served": served,
        "failed": tables.mask(read, [("status", ">=", FAILED)]),
        "slow": slow.fill_null(fill_value=False),
    }
    return {name: pc.cast(mark, pa.int64()) for name, mark in marks.items()}


def _limit(read: pa.Table, limits: Mapping[str, float | None]) -> pa.ChunkedArray:
    """Each row's limit in milliseconds, null without one."""
    places = pc.index_in(read["route"], value_set=tables.texts(limits))
    return pc.take(pa.array(limits.values(), pa.float64()), places)

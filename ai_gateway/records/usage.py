"""What keys were used for, by day: for who has them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from ai_gateway.records import outcome, tables

if TYPE_CHECKING:
    from ai_gateway.records.store import Records

_SUMS: Final = ("input_tokens", "output_tokens", "cost")
_READ: Final = ("received_at", "key_id", "status", *_SUMS)


def by_day(
    records: Records,
    keys: Collection[str],
    *,
    tenants: Collection[str],
    without: Collection[str],
    since: float,
    until: float,
) -> list[dict[str, Any]]:
    """One row a day (UTC) and key of ``tenants``, oldest first; times are seconds since the epoch.

    Columns: date, key_id, requests, errors (400 and above), input_tokens, output_tokens, cost
    (sums; null where nothing is known). The gateway's own calls are left out, and the routes
    ``without``.
    """
    where: list[tables.Condition] = [
        ("surface", "not in", outcome.OWN),
        ("tenant", "in", sorted(tenants)),
        ("key_id", "in", sorted(keys)),
        ("route", "not in", sorted(without)),
    ]
    found = records.scan("requests", list(_READ), since, until, where)
    refused = tables.mask(found, [("status", ">=", outcome.REFUSED)])
    table = pa.table(
        {
            "date": pc.strftime(found["received_at"], format="%Y-%m-%d"),
            "key_id": found["key_id"],
            "error": pc.cast(refused, pa.int64()),
            **{name: found[name] for name in _SUMS},
        }
    )
    sums = [(name, "sum") for name in ("error", *_SUMS)]
    grouped = table.group_by(["date", "key_id"]).aggregate([([], "count_all"), *sums])
    return [
        {
            "date": row["date"],
            "key_id": row["key_id"],
            "requests": row["count_all"],
            "errors": row["error_sum"],
            **{name: row[f"{name}_sum"] for name in _SUMS},
        }
        for row in grouped.sort_by([("date", "ascending"), ("key_id", "ascending")]).to_pylist()
    ]

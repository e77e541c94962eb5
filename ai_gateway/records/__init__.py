"""Everything that is stored: appended durably, kept as Parquet, read back as Arrow tables.

pyarrow is imported when a file is first read or written, not with this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ai_gateway.records.lease import Lease
from ai_gateway.records.objects import StoreUnavailable
from ai_gateway.records.store import Records

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Lease", "Records", "StoreUnavailable", "to_rows"]


def to_rows(table: pa.Table) -> list[dict[str, Any]]:
    """One mapping a row, as it was appended: times are microseconds since the epoch."""
    from ai_gateway.records import encoding

    return encoding.to_rows(table)

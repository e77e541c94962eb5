"""A segment's lines as Arrow tables, and tables as Parquet bytes.

Arrow's own JSON reader does the work, outside the interpreter's lock. It takes all lines or none,
so lines that it refuses are found by halving; it is only ever given lines whose checksum holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
import pyarrow.parquet as pq

from ai_gateway.records import segments, tables
from ai_gateway.records.keyring import Keyring
from ai_gateway.records.schema import TABLES, Table, TableSpec

#: Rows that a reader of a single row has to decode. Fewer are faster for a judge's sample of
#: texts, more for a dashboard that reads all of some columns.
ROW_GROUP = 1024
#: A row group has this column in every row or in none, so that the footer alone says which.
_ALL_OR_NONE = {"requests": "output"}
#: Long texts: a dictionary or smallest and largest values of them are of no use.
_TEXTS = frozenset(
    {"input", "request", "output", "usage", "reason", "correction", "before", "after", "body"}
)
#: Of these nearly every row has a value of its own: a dictionary would only be dearer.
_OWN = frozenset(
    {
        *("request_id", "client_request_id", "answered_before", "shadow_of", "judge_request_id"),
        *("received_at", "requested_at", "judged_at", "created_at", "at"),
        *("response_digest", "before_digest", "after_digest", "previous", "hash"),
        *("seed", "cost", "saved", "similarity"),
        *("time_to_first_token_ms", "latency_ms", "overhead_ms"),
        "attempts.list.element.latency_ms",
    }
)
#: The first of the year 10000: no later time has a date that is written YYYY-MM-DD.
_END_OF_TIME = 253_402_300_800_000_000


@dataclass(slots=True)
class Decoded:
    """What was read of a segment."""

    #: Per table, row batches of its schema in the order of their lines.
    tables: dict[Table, pa.Table] = field(default_factory=dict)
    rows: int = 0
    #: Lines to keep aside: damaged, or not what the schema takes (with nothing stored of them).
    bad: list[bytes] = field(default_factory=list)
    #: Lines stored without columns or fields that the schema does not know; to keep aside too.
    unknown: list[bytes] = field(default_factory=list)
    torn: bool = False


def decode(pieces: Iterable[bytes]) -> Decoded:
    """The rows of a segment's bytes, of which each piece but the last ends where a line does."""
    decoded = Decoded()
    found: dict[Table, list[pa.Table]] = {name: [] for name in TABLES}
    for piece in pieces:
        lines = segments.split(piece)
        for name, parts in found.items():
            bodies = lines.bodies.pop(name.encode(), [])
            parts.extend(_decode_table(decoded, name, bodies) if bodies else [])
        decoded.bad += lines.damaged
        for table, bodies in lines.bodies.items():
            decoded.bad += _lines(table.decode("ascii", "replace"), bodies)
        decoded.torn = lines.torn
    decoded.tables = {
        name: pa.concat_tables(parts).cast(TABLES[name].schema)
        for name, parts in found.items()
        if parts
    }
    decoded.rows = sum(table.num_rows for table in decoded.tables.values())
    return decoded


def _lines(table: str, bodies: Iterable[memoryview]) -> list[bytes]:
    """Whole lines again, without their newlines."""
    return [segments.frame(table, bytes(body))[:-1] for body in bodies]


def _decode_table(decoded: Decoded, name: Table, bodies: list[memoryview]) -> list[pa.Table]:
    bad: list[memoryview] = []
    unknown: list[memoryview] = []
    found = _parse(TABLES[name], bodies, bad, unknown)
    decoded.bad += _lines(name, bad)
    decoded.unknown += _lines(name, unknown)
    return found


def _parse(
    spec: TableSpec,
    bodies: list[memoryview],
    bad: list[memoryview],
    unknown: list[memoryview],
) -> list[pa.Table]:
    """All of ``bodies``; halved until what cannot be read stands alone."""
    try:
        return [_read(spec, bodies, "error")]
    except pa.ArrowException:
        if len(bodies) > 1:
            middle = len(bodies) // 2
            left = _parse(spec, bodies[:middle], bad, unknown)
            return left + _parse(spec, bodies[middle:], bad, unknown)
    try:
        row = _read(spec, bodies, "ignore")
    except pa.ArrowException:
        bad += bodies
        return []
    unknown += bodies
    return [row]


def _read(spec: TableSpec, bodies: list[memoryview], unexpected: str) -> pa.Table:
    """Raises ArrowInvalid unless every line is a row with a key and a time."""
    data = b"\n".join(bodies)
    found = pj.read_json(
        pa.BufferReader(data),
        pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
        pj.ParseOptions(explicit_schema=_wire(spec.schema), unexpected_field_behavior=unexpected),
    )
    found.validate(full=True)
    times = pc.min_max(found[spec.time]).as_py()
    if (
        found.num_rows != len(bodies)
        or found[spec.key].null_count
        or found[spec.time].null_count
        or not 0 <= times["min"] <= times["max"] < _END_OF_TIME
    ):
        raise pa.ArrowInvalid("a row without its key or a time that has a date")
    return found


def _wire(schema: pa.Schema) -> pa.Schema:
    """Times are numbers on the way: microseconds since the epoch."""
    fields = [
        column.with_type(pa.int64()) if pa.types.is_timestamp(column.type) else column
        for column in schema
    ]
    return pa.schema(fields)


def by_date(table: pa.Table, time: str) -> dict[str, pa.Table]:
    """The rows of each UTC date, under ``YYYY-MM-DD``."""
    dates = pc.cast(table[time], pa.date32())
    found = sorted(pc.unique(dates).to_pylist())
    if len(found) == 1:
        return {found[0].isoformat(): table}
    return {date.isoformat(): table.filter(pc.equal(dates, date)) for date in found}


def from_segment(table: pa.Table, stem: str) -> pa.Table:
    """``table`` with the segment that its rows came in, where it has a column for that."""
    index = table.schema.get_field_index("segment")
    if index < 0:
        return table
    names = pa.repeat(tables.texts([stem])[0], table.num_rows)
    return table.set_column(index, table.schema.field(index), pa.chunked_array([names]))


def to_parquet(
    name: Table,
    table: pa.Table,
    metadata: Mapping[bytes, str | bytes] | None = None,
    keyring: Keyring | None = None,
) -> pa.Buffer:
    """``table`` as one compressed Parquet file; encrypted where there are keys.

    Where a column has few values their dictionary is what makes it small. Each call of zstd costs
    some microseconds, which are lost on the few bytes that are left; Snappy's cost next to none.
    """
    schema = table.schema.with_metadata(metadata)
    sink = pa.BufferOutputStream()
    columns = set(schema.names)
    parts = _leaves(table.schema.remove_metadata())
    few = parts - _TEXTS - _OWN - {TABLES[name].key}
    with pq.ParquetWriter(
        sink,
        schema,
        compression=dict.fromkeys(parts, "zstd") | dict.fromkeys(few, "snappy"),
        use_dictionary=sorted(few),
        write_statistics=sorted((columns - _TEXTS) | (columns & {"output"})),
        encryption_properties=_encryption(keyring),
    ) as writer:
        for part in _row_groups(name, table):
            writer.write_table(part.replace_schema_metadata(metadata), row_group_size=ROW_GROUP)
    return sink.getvalue()


def _encryption(keyring: Keyring | None) -> Any:
    if keyring is None:
        return None
    from ai_gateway.records import modular  # for those alone who have keys

    return modular.writing(keyring)


def _row_groups(name: Table, table: pa.Table) -> list[pa.Table]:
    column = _ALL_OR_NONE.get(name)
    if column not in table.column_names:  # a table without one, or a file that is older
        return [table]
    if table[column].null_count in {0, table.num_rows}:  # taking rows out copies them
        return [table]
    present = table[column].is_valid()
    parts = [table.filter(present), table.filter(pc.invert(present))]
    return [part for part in parts if part.num_rows]


def leaves(name: Table) -> frozenset[str]:
    """The paths of a table's flat columns, as a Parquet file of this version has them."""
    return _leaves(TABLES[name].schema)


@lru_cache(maxsize=100)
def _leaves(schema: pa.Schema) -> frozenset[str]:
    # Only a file says them; to write one takes a millisecond.
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, schema):
        pass
    with pq.ParquetFile(pa.BufferReader(sink.getvalue())) as file:
        return tables.leaves(file)


def to_rows(table: pa.Table) -> list[dict[str, Any]]:
    """One mapping a row, as it was appended: times are microseconds since the epoch."""
    times = [column.name for column in table.schema if pa.types.is_timestamp(column.type)]
    for name in times:
        index = table.schema.get_field_index(name)
        table = table.set_column(index, name, table[name].cast(pa.int64()))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows

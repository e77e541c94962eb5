"""What the reading side does with Arrow tables; nothing here touches a store."""

from __future__ import annotations

import functools
import itertools
from array import array
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone
from typing import Any, Final, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ai_gateway.records.schema import TABLES, Table

# What Arrow's own pools keep after a move or a search stays the process's; the system's allocator
# gives it back (see release_memory), at no cost in time that could be measured.
_OWN_POOL: Final = pa.default_memory_pool()
pa.set_memory_pool(pa.system_memory_pool())

#: (column, operator, value): ``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, ``in``, ``not in``.
#: A null equals None and differs from every value; it is neither less nor greater than one.
Condition = tuple[str, str, Any]
Rows = TypeVar("Rows", pa.Table, pa.Array, pa.ChunkedArray)


def _equal(column: pa.ChunkedArray, value: Any) -> pa.ChunkedArray:
    return (
        column.is_null() if value is None else pc.equal(column, value).fill_null(fill_value=False)
    )


def _in(column: pa.ChunkedArray, values: Any) -> pa.ChunkedArray:
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return pc.is_in(column, value_set=values)
    return functools.reduce(pc.or_, (_equal(column, value) for value in values), _never(column))


def _never(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.and_not(column.is_null(), column.is_null())


_OPERATORS: Final[dict[str, Callable[[pa.ChunkedArray, Any], pa.ChunkedArray]]] = {
    "==": _equal,
    "!=": lambda column, value: pc.invert(_equal(column, value)),
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
    "in": _in,
    "not in": lambda column, values: pc.invert(_in(column, values)),
}


def mask(table: pa.Table, conditions: Sequence[Condition]) -> pa.ChunkedArray:
    """Which rows fulfil all ``conditions``; raises KeyError for an unknown operator or column."""
    if not conditions:
        return pa.chunked_array([pa.repeat(pa.scalar(value=True), table.num_rows)])
    masks = [_OPERATORS[operator](table[column], value) for column, operator, value in conditions]
    return functools.reduce(pc.and_, masks).fill_null(fill_value=False)


def places(chosen: pa.ChunkedArray) -> pa.Array:
    """The places at which ``chosen`` is true."""
    # pyarrow 25, the last for Python 3.10, ends the process where there is no chunk.
    return pc.indices_nonzero(chosen) if chosen.num_chunks else pa.nulls(0, pa.uint64())


def between(column: str, since: float | None, until: float | None) -> list[Condition]:
    """``since <= column < until``, both in seconds since the epoch; None has no bound."""
    bounds = ((">=", since), ("<", until))
    return [(column, operator, moment(value)) for operator, value in bounds if value is not None]


def moment(seconds: float) -> pa.Scalar:
    """Seconds since the epoch as a table's time."""
    return pa.scalar(round(seconds * 1e6), pa.timestamp("us", tz="UTC"))


def date_of(seconds: float) -> str:
    """The UTC date, ``YYYY-MM-DD``."""
    return datetime.fromtimestamp(seconds, timezone.utc).date().isoformat()


def distinct(table: pa.Table, key: str) -> pa.Table:
    """The first row of each key. Repeated rows are rare: they are looked at one by one."""
    return drop(table, repeated(table[key]))


def chunks(kind: pa.DataType, parts: Sequence[pa.ChunkedArray | pa.Array]) -> pa.ChunkedArray:
    """``parts`` one behind another; there may be none."""
    arrays = [part.chunks if isinstance(part, pa.ChunkedArray) else [part] for part in parts]
    return pa.chunked_array(itertools.chain.from_iterable(arrays), kind)


def drop(rows: Rows, places: Sequence[int]) -> Rows:
    """``rows`` (of a table or an array) without those at ``places``."""
    if not places:
        return rows
    dropped = pc.is_in(integers(range(len(rows))), value_set=integers(places))
    kept: Rows = rows.filter(pc.invert(dropped))
    return kept


def integers(values: Iterable[int]) -> pa.Array:
    """``values`` as 64-bit integers. ``pa.array`` would import pandas: 0.4 s and 50 MB."""
    numbers = array("q", values)
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers)])


def texts(values: Iterable[str]) -> pa.Array:
    """``values`` as strings. ``pa.array`` would import pandas: 0.4 s and 50 MB."""
    parts = [value.encode("utf-8", "replace") for value in values]
    ends = array("q", itertools.accumulate(map(len, parts), initial=0))
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(parts))]
    return pa.Array.from_buffers(pa.large_string(), len(parts), buffers).cast(pa.string())


def empty(schema: pa.Schema) -> pa.Table:
    """No rows. ``schema.empty_table`` would import pandas."""
    return pa.Table.from_batches([], schema)


def repeated(keys: pa.ChunkedArray) -> list[int]:
    """The places of the keys that stand at an earlier place too."""
    # In one chunk, twice as fast as count_distinct.
    if len(pc.unique(keys.combine_chunks())) == len(keys):
        return []
    counts = pc.value_counts(keys)
    twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    suspects = places(pc.is_in(keys, value_set=twice))
    seen: set[Any] = set()
    later = []
    for place, value in zip(suspects.to_pylist(), keys.take(suspects).to_pylist(), strict=True):
        if value in seen:
            later.append(place)
        seen.add(value)
    return later


def select(
    name: Table, file: pq.ParquetFile, columns: Sequence[str], groups: Sequence[int] | None = None
) -> pa.Table:
    """``columns`` of a file, or of some row groups of it; null where it lacks them."""
    there = [column for column in columns if column in file.schema_arrow.names]
    if groups is None:
        found = file.read(there, use_threads=False)
    else:
        found = file.read_row_groups(groups, there, use_threads=False)
    schema = pa.schema([TABLES[name].schema.field(column) for column in columns])
    arrays = [
        found[field.name].cast(field.type)
        if field.name in there
        else pa.nulls(found.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def present(file: pq.ParquetFile, column: str) -> pa.ChunkedArray:
    """Which rows of a file have a value in ``column``; from the footer where that says it."""
    names = file.schema_arrow.names
    if column not in names:
        rows = file.metadata.num_rows
        return pa.chunked_array([pa.repeat(pa.scalar(value=False), rows)])
    index = _paths(file).index(column)
    chunks = []
    for group in range(file.num_row_groups):
        metadata = file.metadata.row_group(group)
        nulls = _null_count(metadata.column(index))
        if nulls in (0, metadata.num_rows):
            chunks.append(pa.repeat(pa.scalar(nulls == 0), metadata.num_rows))
        else:
            chunks += file.read_row_group(group, [column])[column].is_valid().chunks
    return pa.chunked_array(chunks, pa.bool_())


def leaves(file: pq.ParquetFile) -> frozenset[str]:
    """The paths of a file's flat columns."""
    return frozenset(_paths(file))


def _paths(file: pq.ParquetFile) -> list[str]:
    return [file.schema.column(index).path for index in range(len(file.schema))]


def _null_count(chunk: pq.ColumnChunkMetaData) -> int | None:
    statistics = chunk.statistics
    known = statistics is not None and statistics.has_null_count
    return statistics.null_count if known else None


def release_memory() -> None:
    """Give back to the system what Arrow keeps for later.

    Its Parquet writer takes memory from its own pool, whatever was set.
    """
    for pool in (_OWN_POOL, pa.default_memory_pool()):
        pool.release_unused()

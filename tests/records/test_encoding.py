"""Rows, whatever they hold, survive the way through a segment and a Parquet file."""

from __future__ import annotations

from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_gateway.records import encoding, segments, tables, to_rows
from ai_gateway.records.schema import TABLES, Table

_FLAT: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    pa.bool_(): st.booleans(),
    pa.float64(): st.floats(allow_nan=False, allow_infinity=False),
    pa.timestamp("us", tz="UTC"): st.integers(0, 253_402_300_799_999_999),
    pa.int16(): st.integers(-(2**15), 2**15 - 1),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
}


def values(kind: pa.DataType) -> st.SearchStrategy[Any]:
    """JSON values of an Arrow type, null among them."""
    return st.none() | _some(kind)


def _some(kind: pa.DataType) -> st.SearchStrategy[Any]:
    if kind in _FLAT:
        return _FLAT[kind]
    if pa.types.is_list(kind):
        return st.lists(values(kind.value_type), max_size=3)
    fields = [kind.field(index) for index in range(kind.num_fields)]
    return st.fixed_dictionaries({field.name: values(field.type) for field in fields})


def rows(name: Table) -> st.SearchStrategy[dict[str, Any]]:
    """Rows of a table, with a key and a time."""
    spec = TABLES[name]
    columns = {field.name: values(field.type) for field in spec.schema}
    needed = {each: _some(spec.schema.field(each).type) for each in (spec.key, spec.time)}
    return st.fixed_dictionaries({**columns, **needed})


any_table: st.SearchStrategy[tuple[Table, list[dict[str, Any]]]] = st.sampled_from(
    sorted(TABLES)
).flatmap(lambda name: st.tuples(st.just(name), st.lists(rows(name), min_size=1, max_size=5)))


@settings(max_examples=150, deadline=None)
@given(any_table)
def test_any_row_survives(table: tuple[Table, list[dict[str, Any]]]) -> None:
    """What was appended is read back, value by value, from the Parquet file."""
    name, appended = table
    data = b"".join(segments.frame(name, orjson.dumps(row)) for row in appended)
    decoded = encoding.decode([data])
    assert (decoded.bad, decoded.unknown, decoded.torn) == ([], [], False)
    parts = encoding.by_date(decoded.tables[name], TABLES[name].time).values()
    files = [pq.read_table(pa.BufferReader(encoding.to_parquet(name, part))) for part in parts]
    found = to_rows(pa.concat_tables(files))
    by_value = orjson.OPT_SORT_KEYS
    assert sorted(orjson.dumps(row, option=by_value) for row in found) == sorted(
        orjson.dumps(row, option=by_value) for row in appended
    )


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 3))
def test_any_bytes_are_survived(noise: bytes, place: int) -> None:
    """Noise anywhere in a segment costs no line but the one that it hits."""
    good = [segments.frame("weights", b'{"weight_id":"%d","published_at":1}' % n) for n in range(3)]
    data = b"".join([*good[:place], noise, b"\n", *good[place:]])
    decoded = encoding.decode([data])
    assert decoded.rows == 3
    assert len(decoded.bad) == noise.count(b"\n") + 1


@given(st.integers(0, 400))
def test_a_segment_may_end_anywhere(end: int) -> None:
    """A segment that was cut gives its whole lines, and says that it was torn."""
    lines = [
        segments.frame("weights", b'{"weight_id":"%d","published_at":1}' % n) for n in range(9)
    ]
    data = b"".join(lines)[:end]
    decoded = encoding.decode([data])
    assert decoded.rows == data.count(b"\n")
    assert decoded.torn == bool(data.rpartition(b"\n")[2])
    assert decoded.bad == []


@given(st.lists(st.sampled_from(["weights", "scores", "nobody's", ""]), max_size=12), st.data())
def test_a_segment_in_pieces_is_the_same(names: list[str], data: st.DataObject) -> None:
    """Wherever lines end it may be cut; only the last piece may be torn."""
    lines = [_LINES[name] for name in names]
    cuts = data.draw(st.lists(st.integers(0, len(lines)), max_size=3).map(sorted))
    parts = [lines[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]
    whole = encoding.decode([b"".join([*lines, b"weights 12"])])
    found = encoding.decode([*map(b"".join, parts), b"weights 12"])
    assert found.tables == whole.tables
    assert (found.rows, found.torn, sorted(found.bad)) == (whole.rows, True, sorted(whole.bad))


_LINES = {
    "weights": segments.frame("weights", b'{"weight_id":"w","published_at":1}'),
    "scores": segments.frame("scores", b'{"score_id":"s","judged_at":1}'),
    "nobody's": segments.frame("nobody's", b"{}"),
    "": b"weights 00000000 {}\n",
}


def test_a_table_of_which_nothing_can_be_read_is_left_out() -> None:
    """Its lines are bad, and other tables are not held up."""
    data = segments.frame("requests", b"{}") + segments.frame(
        "weights", b'{"weight_id":"w","published_at":1}'
    )
    decoded = encoding.decode([data])
    assert list(decoded.tables) == ["weights"]
    assert len(decoded.bad) == 1


@pytest.mark.parametrize("name", TABLES)
def test_what_has_few_values_is_small_by_its_dictionary(name: Table) -> None:
    """Parts of lists too; texts and what each row has its own of are left to zstd."""
    table = tables.empty(TABLES[name].schema)
    rows = pa.concat_tables([table, _nulls(name)])
    with pq.ParquetFile(pa.BufferReader(encoding.to_parquet(name, rows))) as file:
        group = file.metadata.row_group(0)
        found = {
            chunk.path_in_schema: (chunk.compression, chunk.has_dictionary_page)
            for chunk in map(group.column, range(group.num_columns))
        }
    booleans = {"simulated"}  # which have none
    for path, (compression, dictionary) in found.items():
        own = path in encoding._TEXTS | encoding._OWN | {TABLES[name].key}
        assert compression == ("ZSTD" if own else "SNAPPY")
        assert dictionary == (not own and path not in booleans)


def _nulls(name: Table) -> pa.Table:
    schema = TABLES[name].schema
    return pa.Table.from_arrays([pa.nulls(3, each.type) for each in schema], schema=schema)


def test_a_column_of_a_later_version_is_compressed_too() -> None:
    """Whatever its type: a file that loses rows keeps it."""
    pairs = pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))
    table = pa.table({"weight_id": ["w"], "later": [1], "pairs": pairs})
    with pq.ParquetFile(pa.BufferReader(encoding.to_parquet("weights", table))) as file:
        group = file.metadata.row_group(0)
        found = [group.column(index).compression for index in range(group.num_columns)]
        assert file.read().to_pydict() == table.to_pydict()
    assert found == ["ZSTD", "SNAPPY", "SNAPPY", "SNAPPY"]


def test_a_row_group_has_all_outputs_or_none() -> None:
    """The footer alone says which rows have an output, so that no search reads the texts."""
    row = {"request_id": "r", "received_at": 1}
    lines = [{**row, "output": "x" if number % 3 else None} for number in range(9)]
    data = b"".join(segments.frame("requests", orjson.dumps(each)) for each in lines)
    table = encoding.decode([data]).tables["requests"]
    file = pq.ParquetFile(pa.BufferReader(encoding.to_parquet("requests", table)))
    index = file.schema_arrow.names.index("output")
    paths = [file.schema.column(leaf).path for leaf in range(len(file.schema))]
    leaf = paths.index(file.schema_arrow.names[index])
    counts = [
        (group.num_rows, group.column(leaf).statistics.null_count)
        for group in map(file.metadata.row_group, range(file.num_row_groups))
    ]
    assert counts == [(6, 0), (3, 3)]

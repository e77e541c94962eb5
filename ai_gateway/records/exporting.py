"""Gives all that is held on a subject, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa

from ai_gateway.records import encoding, tables
from ai_gateway.records.erasing import Whose, survey
from ai_gateway.records.ledger import Progress
from ai_gateway.records.reading import Reader
from ai_gateway.records.schema import TABLES, Table
from ai_gateway.records.subject import HELD, Subject

_BATCH: Final = 1000  # rows
#: What even its owner is not given: who has a key's digest can look for its text.
_SECRET: Final = {"keys": ["digest"]}


def rows(reader: Reader, subject: Subject) -> Iterator[tuple[Table, dict[str, Any]]]:
    """Every row that an erasure would take, with its table; times are microseconds.

    A date is read at a time, each row comes once. Files that cannot be read are left out, and
    logged.
    """
    whole = survey(reader, subject, Progress())
    for name in HELD:
        for date in reader.dates(name):
            found = _date(reader, whole, name, date)
            found = found.drop_columns(_SECRET.get(name, []))
            for batch in found.to_batches(max_chunksize=_BATCH):
                for row in encoding.to_rows(pa.Table.from_batches([batch])):
                    yield name, row


def _date(reader: Reader, whole: Subject, name: Table, date: str) -> pa.Table:
    """The subject's rows of a date; texts are read of files only that hold some."""
    whose, columns = Whose(whole, name), TABLES[name].schema.names

    def attempt() -> pa.Table:
        parts = [tables.empty(TABLES[name].schema)]
        for entry in reader.day(name, date):
            mask = whose(reader.read(name, entry, HELD[name].columns))
            if any(mask.to_pylist()):
                parts.append(reader.read(name, entry, columns).filter(mask))
        return tables.distinct(pa.concat_tables(parts), TABLES[name].key)

    return reader.steady(attempt)

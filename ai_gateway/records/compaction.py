"""Merges small files, so that readers open few.

No store is asked for more than whole objects: a merged file is written under a name of its own,
with the names of its sources inside, and the sources go afterwards. Killed in between, it leaves
rows twice, which readers take once and which the next run finishes. A row is deleted only after
another file that holds it was written, so that even two runs at once lose none.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from ai_gateway.records import encoding, tables
from ai_gateway.records.lease import Lease
from ai_gateway.records.objects import Entry
from ai_gateway.records.reading import Reader
from ai_gateway.records.schema import TABLES, Table

if TYPE_CHECKING:
    from ai_gateway.clock import Clock

#: Bytes, compressed: what one merge holds in memory is some times that.
PART: Final = 32_000_000
#: How many small files of the current day are left to lie, newest ones for ever new readers.
CURRENT: Final = 64
#: Files of one merge: their names stand in its footer.
_BATCH: Final = 1000
_SOURCES: Final = b"ai_gateway.merged_from"
_MERGED: Final = re.compile(r"\.[0-9a-f]{12}\.parquet$")
_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Compaction:
    """What a run did: files written, files deleted, and rows that were there more than once."""

    written: int
    deleted: int
    repeated: int


@dataclass(slots=True)
class _Run:
    """What a run has merged, and the files that are spent by it."""

    reader: Reader
    written: int = 0
    repeated: int = 0
    spent: list[str] = field(default_factory=list)


def compact(reader: Reader, clock: Clock, lease: Lease, grace: float) -> Compaction:
    """Merge the small files of closed days, and of today all but the newest when there are many.

    Between writing and deleting it waits ``grace`` seconds, so that a reader whose listing was
    under way still meets the sources. Stops early when the lease is lost; raises StoreUnavailable.
    """
    run = _Run(reader)
    today = tables.date_of(clock.now())
    days = [(table, date) for table in TABLES for date in reader.dates(table)]
    for name, date in days:
        for batch in _due(run, name, date, current=date >= today):
            if not lease.renew():
                break
            _merge(run, name, date, batch)
    if run.spent:
        clock.sleep(grace)
    for path in run.spent:
        reader.objects.delete(path)
    reader.objects.sweep(clock.now() - _DAY)
    return Compaction(run.written, len(run.spent), run.repeated)


def _due(run: _Run, name: Table, date: str, *, current: bool) -> Iterator[list[Entry]]:
    """The batches of a day's files to merge; what an earlier run left to delete is noted first."""
    files = run.reader.day(name, date)
    left_over = _left_over(run.reader, files)
    run.spent += left_over
    small = [each for each in files if each.path not in left_over and each.size < PART // 2]
    yield from _batches(small[:-CURRENT] if current else small)


def _left_over(reader: Reader, files: Sequence[Entry]) -> set[str]:
    """Files that a merged one beside them says it holds."""
    paths = {each.path for each in files}
    merged = [each for each in files if _MERGED.search(each.path)]
    held: set[str] = set()
    for sources in reader.each(lambda entry: _sources(reader, entry), merged):
        held |= paths & sources
    return held


def _sources(reader: Reader, entry: Entry) -> set[str]:
    try:
        with reader.open(entry) as file:
            metadata = file.schema_arrow.metadata or {}
    except (pa.ArrowInvalid, FileNotFoundError):
        return set()
    return set(json.loads(metadata.get(_SOURCES, b"[]")))


def _batches(files: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Neighbours, at least two and together at most a part."""
    batch: list[Entry] = []
    for entry in files:
        if len(batch) == _BATCH or sum(each.size for each in batch) + entry.size > PART:
            yield batch
            batch = []
        batch.append(entry)
    yield batch


def _merge(run: _Run, name: Table, date: str, batch: Sequence[Entry]) -> None:
    """Write the rows of ``batch``, each once, into one file."""
    try:
        found = run.reader.each(lambda entry: _whole(run.reader, name, entry), batch)
    except FileNotFoundError:  # another run was here: what it left is the next one's
        return
    sources = [entry.path for entry, table in zip(batch, found, strict=True) if table is not None]
    if len(sources) <= 1:
        return
    table = pa.concat_tables([table for table in found if table is not None])
    once = tables.distinct(table, TABLES[name].key)
    merged_from = {_SOURCES: json.dumps(sources)}
    data = encoding.to_parquet(name, once, merged_from, run.reader.objects.keyring)
    run.reader.objects.put(f"{name}/date={date}/{_name(sources)}", data)
    run.written += 1
    run.repeated += table.num_rows - once.num_rows
    run.spent += sources


def _name(sources: Sequence[str]) -> str:
    """Sorts just before the last source, and is another for other sources."""
    last = sources[-1].rpartition("/")[2]
    stem = _MERGED.sub("", last).removesuffix(".parquet")
    return f"{stem}.{hashlib.sha256(json.dumps(sources).encode()).hexdigest()[:12]}.parquet"


def _whole(reader: Reader, name: Table, entry: Entry) -> pa.Table | None:
    """All of a file; None when merging would lose something of it: it is broken, or holds more."""
    try:
        with reader.open(entry) as file:
            if not tables.leaves(file) <= encoding.leaves(name):
                return None
            return tables.select(name, file, TABLES[name].schema.names)
    except pa.ArrowInvalid:
        return None

"""The tables as Arrow tables: a row once, whatever files hold it.

A table's files in the order of their names, and the rows of each in their order, give every row
its place. Of rows with the same key the one at the first place counts.
"""

from __future__ import annotations

import bisect
import itertools
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from threading import Lock
from typing import Any, Final, TypeVar

import cachetools
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ai_gateway.records import tables
from ai_gateway.records.keyring import Encrypted
from ai_gateway.records.newest import SUFFIX, every_entry
from ai_gateway.records.objects import Entry, Objects, StoreUnavailable, content
from ai_gateway.records.schema import TABLES, Table
from ai_gateway.records.tables import Condition

log = logging.getLogger(__name__)
#: How often a reading starts over for one file that is listed and not there, and for all of them:
#: a job that deletes thousands takes them away one by one.
_ATTEMPTS: Final = 10
_MISSING: Final = 1000
#: How a file begins whose footer is encrypted.
_ENCRYPTED: Final = b"PARE"
Result = TypeVar("Result")
Item = TypeVar("Item")


class Reader:
    """Reads the tables of one store. Every method may be called by any thread."""

    def __init__(self, objects: Objects, cache_bytes: int = 0) -> None:
        self.objects = objects
        #: Readings of files that could not be read and were left out.
        self.unreadable = 0
        self._cache = _Cache(cache_bytes)

    def scan(
        self,
        name: Table,
        columns: Sequence[str] | None = None,
        since: float | None = None,
        until: float | None = None,
        where: Sequence[Condition] = (),
    ) -> pa.Table:
        """Rows of ``since <= time < until`` (seconds since the epoch) that fulfil ``where``."""
        spec = TABLES[name]
        wanted = list(columns or spec.schema.names)
        conditions = [*tables.between(spec.time, since, until), *where]
        needed = sorted({*wanted, spec.key, *(column for column, _, _ in conditions)})

        def one(entry: Entry) -> pa.Table:
            found = self.read(name, entry, needed)
            return found.filter(tables.mask(found, conditions)) if conditions else found

        def attempt() -> pa.Table:
            parts = self.each(one, self.files(name, since, until))
            return tables.distinct(_concat(name, needed, parts), spec.key)

        return self.steady(attempt).select(wanted)

    def files(
        self, name: Table, since: float | None = None, until: float | None = None
    ) -> list[Entry]:
        """The table's files of the dates from ``since`` to ``until``, oldest date first."""
        days = self.each(lambda date: self.day(name, date), self.dates(name, since, until))
        return [entry for entries in days for entry in entries]

    def day(self, name: Table, date: str) -> list[Entry]:
        """The files of one date; what is not named like one is left alone."""
        entries = self.objects.entries(f"{name}/date={date}")
        return [entry for entry in entries if entry.path.endswith(SUFFIX)]

    def dates(
        self, name: Table, since: float | None = None, until: float | None = None
    ) -> list[str]:
        """The dates that the table has, ``YYYY-MM-DD``, oldest first."""
        first = "" if since is None else tables.date_of(since)
        last = "~" if until is None else tables.date_of(until)
        folders = map(str.partition, self.objects.folders(name), itertools.repeat("date="))
        return [
            date for before, mark, date in folders if mark and not before and first <= date <= last
        ]

    def read(
        self, name: Table, entry: Entry, columns: Sequence[str], present: str | None = None
    ) -> pa.Table:
        """``columns`` of a file, null where it lacks them; one that is broken counts as empty.

        ``present`` adds a column of that name: whether the column it names has a value.
        """
        key = (entry.path, *columns, present)
        found = self._cache.get(key)
        if found is None:
            found = self._read(name, entry, columns, present)
            self._cache.put(key, found)
        return found

    def _read(
        self, name: Table, entry: Entry, columns: Sequence[str], present: str | None
    ) -> pa.Table:
        try:
            with self.open(entry) as file:
                found = tables.select(name, file, columns)
                if present:
                    found = found.append_column("present", tables.present(file, present))
        except pa.ArrowInvalid:
            self.unreadable += 1
            log.exception("%s is no readable Parquet file and is left out", entry.path)
            return _concat(name, columns, [], present)
        return found

    def newest(
        self,
        name: Table,
        limit: int,
        columns: Sequence[str] | None = None,
        since: float | None = None,
        where: Sequence[Condition] = (),
        *,
        until: float | None = None,
    ) -> pa.Table:
        """The newest ``limit`` rows that fulfil ``where``, newest first."""
        wanted = columns or TABLES[name].schema.names
        conditions = [*tables.between(TABLES[name].time, since, until), *where]

        def attempt() -> pa.Table:
            parts: list[pa.Table] = []
            for date in reversed(self.dates(name, since, until)):
                missing = limit - sum(part.num_rows for part in parts)
                if missing > 0:
                    parts.append(self._newest_of(name, date, missing, wanted, conditions))
            return _concat(name, wanted, parts)

        return self.steady(attempt)

    def _newest_of(
        self,
        name: Table,
        date: str,
        limit: int,
        columns: Sequence[str],
        conditions: Sequence[Condition],
    ) -> pa.Table:
        spec = TABLES[name]
        needed = sorted({spec.key, spec.time, *(column for column, _, _ in conditions)})
        files = self.day(name, date)
        parts = self.each(lambda entry: self.read(name, entry, needed), files)
        starts = list(itertools.accumulate((part.num_rows for part in parts), initial=0))
        rows = _concat(name, needed, parts)
        places = tables.places(tables.mask(rows, conditions))
        places = tables.drop(places, tables.repeated(rows[spec.key].take(places)))
        order = pc.sort_indices(rows[spec.time].take(places), sort_keys=[("", "descending")])
        newest = places.take(order[:limit]).to_pylist()
        with_time = list(dict.fromkeys([*columns, spec.time]))
        found = self.fetch(name, files, starts, newest, with_time)
        return found.sort_by([(spec.time, "descending")]).select(columns)

    def unseen(self, name: Table, seen: Collection[str]) -> pa.Table:
        """All rows of the files whose path is not in ``seen``; a broken file is no empty one.

        Raises StoreUnavailable.
        """
        columns = TABLES[name].schema.names

        def one(entry: Entry) -> pa.Table:
            with self.open(entry) as file:
                return tables.select(name, file, columns)

        def attempt() -> pa.Table:
            found = every_entry(self.objects, name)
            files = [each for each in found if each.path not in seen]
            return _concat(name, columns, self.each(one, files))

        try:
            return self.steady(attempt)
        except pa.ArrowInvalid:
            raise StoreUnavailable(f"a file of {name} cannot be read") from None

    def last(self, name: Table, entry: Entry) -> pa.Table:
        """The rows of a file that share its newest time; FileNotFoundError when it is gone."""
        found = self.read(name, entry, TABLES[name].schema.names)
        times = found[TABLES[name].time]
        return found.filter(pc.equal(times, pc.max(times)))

    def fetch(
        self,
        name: Table,
        files: Sequence[Entry],
        starts: Sequence[int],
        places: Iterable[int],
        columns: Sequence[str],
    ) -> pa.Table:
        """``columns`` of the rows at ``places``, in the order of their places.

        A place counts the rows of all ``files``; ``starts`` holds that of each file's first row.
        Reads no more than the row groups that hold them. Raises StoreUnavailable where those are
        damaged: their rows were found, and none can take their place.
        """
        chosen: dict[int, list[int]] = {}
        for place in sorted(places):
            file = bisect.bisect_right(starts, place) - 1
            chosen.setdefault(file, []).append(place - starts[file])
        try:
            parts = self.each(
                lambda file: self._pick(name, files[file], chosen[file], columns), list(chosen)
            )
        except pa.ArrowInvalid as error:
            raise StoreUnavailable(str(error)) from None
        return _concat(name, columns, parts)

    def _pick(
        self, name: Table, entry: Entry, places: list[int], columns: Sequence[str]
    ) -> pa.Table:
        with self.open(entry) as file:
            sizes = (
                file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)
            )
            starts = list(itertools.accumulate(sizes, initial=0))
            parts = []
            for group, members in itertools.groupby(
                places, lambda place: bisect.bisect_right(starts, place) - 1
            ):
                found = tables.select(name, file, columns, [group])
                parts.append(
                    found.take(tables.integers(place - starts[group] for place in members))
                )
        return pa.concat_tables(parts)

    def open(self, entry: Entry) -> AbstractContextManager[pq.ParquetFile]:
        """Its Parquet file; FileNotFoundError when it is gone.

        Raises ArrowInvalid when it is none, and where what is then read of it is damaged; Encrypted
        where it is encrypted with a key that is not held.
        """
        return self.parquet(entry, self.objects.open(entry))

    @contextmanager
    def parquet(self, entry: Entry, source: Any) -> Iterator[pq.ParquetFile]:
        """As ``open``, of what its ``source`` holds."""
        try:
            with self._parquet(entry, source) as file:
                yield file
        except OSError as error:
            # pyarrow says so of what makes no sense; a disk or a store that fails has a number.
            if type(error) is OSError and error.errno is None:
                raise pa.ArrowInvalid(f"{entry.path} is damaged: {error}") from None
            raise

    def _parquet(self, entry: Entry, source: Any) -> pq.ParquetFile:
        far = not isinstance(source, str)
        try:
            return pq.ParquetFile(
                source, pre_buffer=far, decryption_properties=_decryption(self.objects)
            )
        except (FileNotFoundError, StoreUnavailable) as error:
            if isinstance(error, Encrypted):
                raise error.of(entry.path) from None
            raise
        except OSError:
            if content(self.objects, entry)[: len(_ENCRYPTED)] != _ENCRYPTED:
                raise
        if self.objects.keyring is None:
            raise Encrypted(f"{entry.path} is encrypted, and no key is set")
        raise pa.ArrowInvalid(f"{entry.path} is encrypted and damaged")

    def each(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """``work`` on each of ``items``, several at once; results in their order."""
        if len(items) <= 1:
            return [work(item) for item in items]
        with ThreadPoolExecutor(self.objects.readers) as pool:
            return list(pool.map(work, items))

    @staticmethod
    def steady(attempt: Callable[[], Result]) -> Result:
        """``attempt()``, again from its listing on when a file was taken away under it."""
        missing: Counter[str] = Counter()
        while True:
            with _noted(missing):
                return attempt()


def _decryption(objects: Objects) -> Any:
    if objects.keyring is None:
        return None
    from ai_gateway.records import modular  # for those alone who have keys

    return modular.reading(objects.keyring)


@contextmanager
def _noted(missing: Counter[str]) -> Iterator[None]:
    """Count what is gone, until that is too much."""
    try:
        yield
    except FileNotFoundError as error:
        missing[str(error)] += 1
        if missing[str(error)] == _ATTEMPTS or missing.total() == _MISSING:
            raise


def _concat(
    name: Table, columns: Sequence[str], parts: Sequence[pa.Table], present: str | None = None
) -> pa.Table:
    schema = pa.schema([TABLES[name].schema.field(column) for column in columns])
    if present:
        schema = schema.append(pa.field("present", pa.bool_()))
    return pa.concat_tables([tables.empty(schema), *parts])


class _Cache:
    """Columns of files, the least recently used forgotten first. A file's content never changes."""

    def __init__(self, size: int) -> None:
        self._lock = Lock()
        self._tables: Any = cachetools.LRUCache(size, getsizeof=lambda table: table.nbytes)

    def get(self, key: tuple[str | None, ...]) -> pa.Table | None:
        with self._lock:
            return self._tables.get(key)

    def put(self, key: tuple[str | None, ...], table: pa.Table) -> None:
        with self._lock:
            if 0 < table.nbytes <= self._tables.maxsize:
                self._tables[key] = table

"""Requests in the order in which they became readable, a page at a time: each once, however late.

Rows come in portions: what one write-ahead segment holds of one date. A portion becomes readable
whole, as a file, and may later be part of a merged one, where the column ``segment`` still tells
it. So a position in the table is what has been given: all that became readable before a time, by
the store's clock, and of what came later the portions that it names.

What it rests on: a file can be listed within ``_WINDOW`` of the time that the store says it was
written at, and the clocks of store and gateways differ by less than ``_SKEW``.
"""

from __future__ import annotations

import struct
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from ai_gateway.records import encoding, tables
from ai_gateway.records.reading import Reader
from ai_gateway.records.schema import TABLES, Table
from ai_gateway.records.tables import Condition

if TYPE_CHECKING:
    from ai_gateway.records.objects import Entry

_TABLE: Final[Table] = "requests"
_MICROSECONDS: Final = 1_000_000
#: Microseconds; see above.
_WINDOW: Final = 60 * _MICROSECONDS
_SKEW: Final = 30 * _MICROSECONDS
#: Dates that are looked at for what is new: rows that are later than that are not followed.
_DATES: Final = 8
#: Files that one page reads, portions that a position names, and files that are tried first.
_FILES: Final = 500
_MOST: Final = 3_000
_FEW: Final = 32
#: Seconds: how long most requests take, and how far the time in an id may be from its row's.
_SOON: Final = 60.0
_AROUND: Final = 3_600.0
#: Characters of a position.
LONGEST: Final = 40_000
_HEAD: Final = struct.Struct(">BQB")
_PORTION: Final = struct.Struct(">II")
_BEGUN: Final = struct.Struct(">IB")
_VERSION: Final = 1


class Portion(NamedTuple):
    """When a segment was begun, in seconds since the epoch, and a checksum of its name and date."""

    made: int
    name: int

    @classmethod
    def of(cls, date: str, stem: str) -> Portion:
        """The portion of ``date`` in the segment, or the merged file, that is named so."""
        made = int(stem[:10]) if stem[:10].isdecimal() and stem[:10].isascii() else 0
        return cls(made, zlib.crc32(f"{date}/{stem}".encode()))


@dataclass(frozen=True, slots=True)
class Position:
    """What has been given; of a portion that was begun, the rows up to an id."""

    since: int
    seen: frozenset[Portion]
    begun: Mapping[int, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """As a text that fits in an address."""
        parts = [_HEAD.pack(_VERSION, self.since, len(self.begun))]
        for name, last in self.begun.items():
            encoded = last.encode()
            parts += [_BEGUN.pack(name, len(encoded)), encoded]
        parts += [_PORTION.pack(*portion) for portion in sorted(self.seen)]
        return urlsafe_b64encode(b"".join(parts)).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> Position:
        """What ``str`` gave; raises ValueError for anything else."""
        try:
            return cls._unpacked(_decoded(text))
        except (struct.error, ValueError):
            raise ValueError("no cursor that this gateway gave out") from None

    @classmethod
    def _unpacked(cls, data: bytes) -> Position:
        version, since, count = _HEAD.unpack_from(data)
        if version != _VERSION or since >= 2**62:
            raise ValueError(version)
        at, begun = _HEAD.size, {}
        for _ in range(count):
            name, size = _BEGUN.unpack_from(data, at)
            at += _BEGUN.size
            begun[name] = data[at : at + size].decode()
            at += size
        return cls(since, frozenset(map(Portion._make, _PORTION.iter_unpack(data[at:]))), begun)


def _decoded(text: str) -> bytes:
    if len(text) > LONGEST:
        raise ValueError(len(text))
    data = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    if urlsafe_b64encode(data).decode().rstrip("=") != text:
        raise ValueError(text[:10])
    return data


@dataclass(frozen=True, slots=True)
class Page:
    """Rows as they were appended, the position behind them, and whether there are more by now."""

    rows: list[dict[str, Any]]
    position: Position
    more: bool


@dataclass(frozen=True, slots=True)
class _File:
    """One file of one date."""

    date: str
    entry: Entry

    @property
    def stem(self) -> str:
        return self.entry.path.rpartition("/")[2].removesuffix(".parquet")

    @property
    def portion(self) -> Portion:
        return Portion.of(self.date, self.stem)

    @property
    def whole(self) -> bool:
        """Whether all of it is one segment's: a merged file's name has another dot."""
        return "." not in self.stem


class _Listed(Reader):
    """A reader to which nothing is new: it lists each date once, and no date that came since.

    It reads those files only that ``fits`` is true of.
    """

    def __init__(self, reader: Reader, fits: Callable[[_File], bool] = lambda _: True) -> None:
        super().__init__(reader.objects)
        self._fits = fits
        self._days: dict[str, list[Entry]] = {}
        self.recent = reader.dates(_TABLE)[-_DATES:]
        for date in self.recent:
            self._days[date] = reader.day(_TABLE, date)

    def day(self, name: Table, date: str) -> list[Entry]:
        """As it was first."""
        if date not in self._days:
            new = not self.recent or date > self.recent[0]
            self._days[date] = [] if new else super().day(name, date)
        return [each for each in self._days[date] if self._fits(_File(date, each))]

    def written(self) -> list[_File]:
        """The files of the recent dates."""
        return [_File(date, entry) for date in self.recent for entry in self._days[date]]

    def _newest_of(
        self,
        name: Table,
        date: str,
        limit: int,
        columns: Sequence[str],
        conditions: Sequence[Condition],
    ) -> pa.Table:
        """Of the files that were written last first: in an earlier one no row is later than it."""
        whole, time = self.day(name, date), TABLES[name].time
        order = sorted(whole, key=lambda each: each.modified, reverse=True)
        wanted, kept = list(dict.fromkeys([*columns, time])), self._days[date]
        count = _FEW
        try:
            while True:
                self._days[date] = sorted(order[:count])
                found = super()._newest_of(name, date, limit, wanted, conditions)
                if count >= len(order) or (
                    found.num_rows == limit
                    and pc.min(found[time].cast(pa.int64())).as_py() > order[count].modified + _SKEW
                ):
                    return found.select(columns)
                count *= 8
        finally:
            self._days[date] = kept


def newest(
    reader: Reader,
    limit: int,
    columns: Sequence[str],
    where: Sequence[Condition],
    *,
    since: float | None = None,
    until: float | None = None,
) -> Page:
    """The newest rows, newest first, and the position behind all that is readable now.

    ``more`` is that of older ones there may be some.
    """

    def attempt() -> Page:
        listed = _Listed(reader)
        found = listed.newest(_TABLE, limit, columns, since, where, until=until)
        rows = encoding.to_rows(found)
        return Page(rows, _end(listed), len(rows) == limit)

    return reader.steady(attempt)


def one(
    reader: Reader, identity: str, at: float, where: Sequence[Condition]
) -> dict[str, Any] | None:
    """The request of that id, which was made at ``at`` (seconds since the epoch).

    Looked for in those files first that a request of then would be in.
    """

    def likely(file: _File) -> bool:
        late = file.whole and file.portion.made > at + _SOON
        return not late and file.entry.modified >= at * _MICROSECONDS - _SKEW

    conditions = [("request_id", "==", identity), *where]
    since, until = max(0.0, at - _AROUND), at + _AROUND

    def attempt() -> list[dict[str, Any]]:
        for each in (_Listed(reader, likely), reader):
            found = each.newest(_TABLE, 1, since=since, where=conditions, until=until)
            if found.num_rows:
                break
        return encoding.to_rows(found)

    rows = reader.steady(attempt)
    return rows[0] if rows else None


def _end(listed: _Listed) -> Position:
    files = listed.written()
    newest_write = max((each.entry.modified for each in files), default=0)
    since = max(0, newest_write - _WINDOW)
    late = [each for each in files if each.entry.modified >= since]
    inside = (part for each in late if not each.whole for part in _inside(listed, each))
    recent = (part for part in inside if part.made * _MICROSECONDS >= since)
    return Position(since, frozenset([*(each.portion for each in late), *recent]))


def _inside(reader: Reader, file: _File) -> Iterator[Portion]:
    for stem in _segments(reader.read(_TABLE, file.entry, ["segment"])):
        yield Portion.of(file.date, stem)


def _segments(table: pa.Table) -> list[str]:
    """Those that rows are of, oldest first; rows of before there was this column are of none."""
    return sorted(stem for stem in pc.unique(table["segment"]).to_pylist() if stem is not None)


def following(
    reader: Reader,
    position: Position,
    limit: int,
    columns: Sequence[str],
    where: Sequence[Condition],
) -> Page:
    """Rows that became readable behind ``position``, those first that did so first.

    ``more`` is that others can be read at once.
    """

    def attempt() -> Page:
        walk = _Walk(reader, position, limit, columns, where)
        return walk.page(_Listed(reader).written())

    return reader.steady(attempt)


@dataclass(slots=True)
class _Walk:
    """One page: goes through what is new until it is full."""

    reader: Reader
    start: Position
    limit: int
    columns: Sequence[str]
    where: Sequence[Condition]
    seen: set[Portion] = field(init=False)
    begun: dict[int, str] = field(init=False)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.seen, self.begun = set(self.start.seen), dict(self.start.begun)

    def page(self, files: Sequence[_File]) -> Page:
        recent = [each for each in files if each.entry.modified >= self.start.since]
        new = sorted(
            (each for each in recent if each.portion not in self.seen),
            key=lambda each: (each.entry.modified, each.entry.path),
        )
        done = 0
        for file in new[:_FILES]:
            if not self._take(file):
                break
            done += 1
        rest = new[done:]
        return Page(self.rows, self._position(self._since(new[:done], rest), recent), bool(rest))

    def _since(self, done: Sequence[_File], rest: Sequence[_File]) -> int:
        """What is new in a merged file is told by it, so that it waits for those."""
        since = self.start.since
        if not done or not all(each.whole for each in rest):
            return since
        bounds = [done[-1].entry.modified - _WINDOW, *(each.entry.modified for each in rest[:1])]
        return max(since, min(bounds))

    def _take(self, file: _File) -> bool:
        """Give what is new in a file; False where the page is full before its end."""
        keys = {"request_id", "segment", *(column for column, _, _ in self.where)}
        found = self.reader.read(_TABLE, file.entry, sorted({*self.columns, *keys}))
        for portion, rows in self._portions(file, found):
            if not self._give(portion, rows):
                return False
            self.seen.add(portion)
        self.seen.add(file.portion)
        return True

    def _portions(self, file: _File, found: pa.Table) -> Iterator[tuple[Portion, pa.Table]]:
        """The parts of a file that were not given."""
        if file.whole:
            yield file.portion, found
            return
        for stem in _segments(found):
            portion = Portion.of(file.date, stem)
            # What was begun before the window and is not named was read before it, too.
            new = portion.made * _MICROSECONDS >= self.start.since + _SKEW
            if portion not in self.seen and (new or portion.name in self.begun):
                yield portion, found.filter(pc.equal(found["segment"], stem))

    def _give(self, portion: Portion, rows: pa.Table) -> bool:
        where = list(self.where)
        if last := self.begun.get(portion.name):
            where.append(("request_id", ">", last))
        matching = tables.distinct(rows.filter(tables.mask(rows, where)), "request_id")
        room = self.limit - len(self.rows)
        given = matching.sort_by("request_id").slice(0, room).select(self.columns)
        self.rows += encoding.to_rows(given)
        if matching.num_rows > room:
            if room:
                self.begun[portion.name] = self.rows[-1]["request_id"]
            return False
        self.begun.pop(portion.name, None)
        return True

    def _position(self, since: int, recent: Iterable[_File]) -> Position:
        listed = {each.portion for each in recent if each.entry.modified >= since}
        kept = [
            portion
            for portion in self.seen
            if portion.made * _MICROSECONDS >= since or portion in listed
        ]
        return Position(since, frozenset(sorted(kept)[-_MOST:]), self.begun)

"""Deletes what is older than it may be, a UTC date at a time.

A row goes with its date, once all of the date is older than its rule. A date that no rule keeps
goes whole, unread; of one that some tenants' rules keep and others do not, the files are rewritten
(see ``rewriting``). What is killed half-way is taken up by the next run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from ai_gateway.records import rewriting, tables
from ai_gateway.records.keeping import Keep, Over
from ai_gateway.records.lease import Lease
from ai_gateway.records.objects import Entry
from ai_gateway.records.reading import Reader
from ai_gateway.records.rewriting import Found
from ai_gateway.records.schema import Table

if TYPE_CHECKING:
    from ai_gateway.clock import Clock

#: Of whole dates that would go, oldest first: those that may. It is asked once, and does before it
#: answers what must be done before they go. Raises StoreUnavailable.
May = Callable[[Sequence[str]], Sequence[str]]
#: Tables of which no row goes unless somebody was asked.
ASKED: Final[frozenset[Table]] = frozenset({"audit"})

_DAY: Final = 86_400.0
_ALL: Final = Over(frozenset(), all_but=True)


@dataclass(slots=True)
class Pruned:
    """What a run did; by table: dates that went whole, their files, and rows of rewritten files."""

    dates: Counter[str] = field(default_factory=Counter)
    files: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    rewritten: int = 0
    #: Files of the write-ahead folder with lines that no table took.
    set_aside: int = 0
    #: Erasures that were carried out or looked through again, and that wait for a later run.
    erasures: int = 0
    pending: int = 0
    #: Files of which nobody knows whose rows they hold: they stay.
    unreadable: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return found | {name: dict(getattr(self, name)) for name in ("dates", "files", "rows")}


@dataclass(frozen=True, slots=True)
class Pruning:
    """Prunes one store, while ``lease`` is held; ``grace`` is in seconds."""

    reader: Reader
    clock: Clock
    lease: Lease
    grace: float

    def run(self, rules: Mapping[Table, Keep], may: May = lambda _: ()) -> Pruned:
        """Delete what ``rules`` do not keep; stops early without the lease.

        ``may`` is asked for tables in ASKED, of which nothing goes without it. Raises
        StoreUnavailable.
        """
        pruned, now = Pruned(), self.clock.now()
        spent: list[str] = []
        for name, keep in rules.items():
            for date, end in self._allowed(name, keep, now, may):
                over = keep.over(end, now)
                if over is not None and not self.lease.renew():
                    return pruned
                if over == _ALL:
                    self._drop(name, date, pruned)
                elif over is not None:
                    spent += self._thin(name, date, over, pruned)
        if spent:
            self.clock.sleep(self.grace)  # a reader whose listing was under way meets the sources
        if self.lease.renew():
            rewriting.delete(self.reader, spent)
        return pruned

    def _allowed(self, name: Table, keep: Keep, now: float, may: May) -> list[tuple[str, float]]:
        dates = self._dates(name)
        if name not in ASKED:
            return dates
        over = [date for date, end in dates if keep.over(end, now) == _ALL]
        allowed = frozenset(may(over) if over and self.lease.renew() else ())
        return [(date, end) for date, end in dates if date in allowed]

    def _dates(self, name: Table) -> list[tuple[str, float]]:
        """The dates that may go, and when they end: the newest weights are needed, however old."""
        dates = [(date, end) for date in self.reader.dates(name) if (end := _end(date)) is not None]
        if name != "weights":
            return dates
        newest = next((date for date, _ in reversed(dates) if self.reader.day(name, date)), "")
        return [(date, end) for date, end in dates if date < newest]

    def _drop(self, name: Table, date: str, pruned: Pruned) -> None:
        files = [entry.path for entry in self.reader.day(name, date)]
        rewriting.delete(self.reader, files)
        self.reader.objects.tidy(f"{name}/date={date}")
        pruned.dates[name] += bool(files)
        pruned.files[name] += len(files)

    def _thin(self, name: Table, date: str, over: Over, pruned: Pruned) -> Iterator[str]:
        """Rewrite the files of a date that hold rows to lose; the paths of the old ones."""
        for entry in self.reader.day(name, date):
            found = self._found(name, entry, over, pruned)
            if found is None or not found.count or not self.lease.renew():
                continue
            try:
                change = rewriting.rewrite(self.reader, name, entry, found)
            except pa.ArrowInvalid:
                pruned.unreadable.append(entry.path)
                continue
            pruned.rows[name] += change.dropped
            pruned.rewritten += 1
            yield entry.path

    def _found(self, name: Table, entry: Entry, over: Over, pruned: Pruned) -> Found | None:
        try:
            return rewriting.places(self.reader, name, entry, ["tenant"], partial(_lost, over))
        except FileNotFoundError:  # somebody took it away
            return None
        except pa.ArrowInvalid:
            pruned.unreadable.append(entry.path)
            return None


def _lost(over: Over, read: pa.Table) -> pa.ChunkedArray:
    """Which rows go; one without a tenant is nobody's, and goes by the table's own rule."""
    named = pc.is_in(read["tenant"], value_set=tables.texts(sorted(over.tenants)))
    return pc.invert(named) if over.all_but else named


def _end(date: str) -> float | None:
    """Seconds since the epoch; None for what is no date."""
    try:
        start = datetime.fromisoformat(date).replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return start.timestamp() + _DAY

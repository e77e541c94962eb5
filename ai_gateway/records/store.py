"""Records: the one way in and out of the stored tables."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from random import Random
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

import orjson

from ai_gateway.records import lease
from ai_gateway.records.ledger import Ledger
from ai_gateway.records.moving import Mover, put
from ai_gateway.records.newest import every_entry, newest_entry
from ai_gateway.records.objects import Objects, StoreUnavailable, open_objects
from ai_gateway.records.segments import Write, frame, new_name
from ai_gateway.records.setaside import SetAside
from ai_gateway.records.writeahead import WriteAhead

if TYPE_CHECKING:
    import pyarrow as pa
    from typing_extensions import Self

    from ai_gateway.clock import Clock
    from ai_gateway.records.compaction import Compaction
    from ai_gateway.records.erasing import Erasing, Outcome
    from ai_gateway.records.following import Page
    from ai_gateway.records.keeping import Keep
    from ai_gateway.records.keyring import Keyring
    from ai_gateway.records.lease import Lease
    from ai_gateway.records.ledger import Asked
    from ai_gateway.records.pruning import May, Pruned
    from ai_gateway.records.reading import Reader
    from ai_gateway.records.schema import Table
    from ai_gateway.records.subject import Subject
    from ai_gateway.records.tables import Condition
    from ai_gateway.records.unjudged import Unjudged

#: The share of ``move_every`` after which a move starts, so that it ends in time.
_EARLY = 0.8
_DAY = 86400.0  # seconds
_BATCH = 10_000  # rows


class Records:
    """Appends rows at the price of one small write, and reads them back as Arrow tables.

    Every method may be called by any thread. Open it in the process that uses it: neither its
    lock nor its thread survives a fork. Reads see what was moved; ``flush`` moves all.
    """

    def __init__(
        self, objects: Objects, ahead: WriteAhead, clock: Clock, move_every: float, cache_bytes: int
    ) -> None:
        self._objects = objects
        self._ahead = ahead
        self._mover = Mover(objects, ahead)
        #: What was asked to be erased, and the reports.
        self.ledger = Ledger(objects)
        self._clock = clock
        self._period = move_every * _EARLY
        self._cache_bytes = cache_bytes
        self._opened: Reader | None = None
        self._opening = Lock()
        self._wake = Event()
        self._stopping = False
        self._thread: Thread | None = None

    @classmethod
    def open(
        cls,
        data: str,
        wal: Path,
        clock: Clock,
        *,
        move_every: float = 5.0,
        background: bool = True,
        cache_bytes: int = 0,
        queue_bytes: int = 16_000_000,
        segment_bytes: int = 16_000_000,
        write: Write = os.write,
        keyring: Keyring | None = None,
    ) -> Records:
        """The tables at ``data``: a folder, or ``s3://bucket/prefix?endpoint_override=...``.

        A row is readable ``move_every`` seconds after it was appended, unless ``background`` is
        False: then only ``flush`` moves. ``cache_bytes`` is for a reader that asks again and
        again, such as a dashboard. While the disk is full, rows wait in ``queue_bytes`` of memory.
        With a ``keyring`` all that is written is encrypted, what was plain before stays readable.
        Raises ValueError for an address that cannot be one; a store that is away is no error.
        """
        ahead = WriteAhead(Path(wal), clock, write, queue_bytes, segment_bytes, keyring=keyring)
        records = cls(open_objects(data, keyring), ahead, clock, move_every, cache_bytes)
        if background:
            records._thread = records._start()
        return records

    def _start(self) -> Thread:
        thread = Thread(target=self._run, name="records-mover", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        while not self._stopping:
            self._mover.run()
            self._wake.wait(self._period)
            self._wake.clear()
        self._mover.run()

    def append(self, table: Table, row: Mapping[str, Any]) -> None:
        """Keep one row: it survives ``kill -9`` from here on. Times are microseconds.

        Never fails for a disk or a store: then the row waits in memory, and ``status`` says so.
        """
        self.extend(table, (row,))

    def extend(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """Keep rows together: all of them or none, and of one date all in the same file."""
        lines = [frame(table, _json(row)) for row in rows]
        if lines and self._ahead.append(b"".join(lines), len(lines)):
            self._wake.set()

    def publish(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write rows now, past the write-ahead folder, so that every process reads them at once.

        Rows of one date are stored together or not at all: then it raises StoreUnavailable.
        """
        from ai_gateway.records import encoding

        decoded = encoding.decode([b"".join(frame(table, _json(row)) for row in rows)])
        if decoded.bad or decoded.unknown:
            raise ValueError(f"no rows of {table}")
        put(self._objects, decoded, new_name(self._clock.now()))

    def unseen(
        self, table: Table, seen: Collection[str]
    ) -> tuple[frozenset[str], list[dict[str, Any]]]:
        """The paths of a table's files, and all rows of those whose path is not in ``seen``.

        A row comes as often as files hold it. Costs a listing while there is nothing new. Raises
        StoreUnavailable, also for a file that cannot be read.
        """
        paths = frozenset(each.path for each in every_entry(self._objects, table))
        if paths <= frozenset(seen):
            return paths, []
        from ai_gateway.records.encoding import to_rows  # pyarrow, which a start does without

        return paths, to_rows(self._reader.unseen(table, seen))

    def flush(self) -> None:
        """Make every row readable that was appended before, or raise StoreUnavailable."""
        if not self._mover.run():
            raise StoreUnavailable(self._alert() or "not every record could be moved")

    def close(self, timeout: float = 5.0) -> None:
        """Move what can be moved within ``timeout`` seconds; the next to open moves the rest."""
        self._stopping = True
        self._wake.set()
        thread = self._thread = self._thread or self._start()
        thread.join(timeout)
        if not thread.is_alive():
            self._ahead.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def status(self) -> dict[str, Any]:
        """Counts since the opening; ``lag`` is the age of the oldest unreadable row in seconds.

        ``alert`` is a sentence for the operator, or None when all is well.
        """
        pending, lag = self._ahead.pending()
        return {
            "appended": self._ahead.appended,
            "moved": self._mover.moved,
            "recovered": self._mover.recovered,
            "pending": pending,
            "lag": lag,
            "queued": self._ahead.queued(),
            "lost": self._ahead.lost,
            "dropped_tail": self._mover.dropped_tail,
            "set_aside": self._mover.set_aside,
            "erased": self._mover.erased,
            "wal_errors": self._ahead.errors,
            "store_errors": self._mover.errors,
            "unreadable": self._opened.unreadable if self._opened else 0,
            "alert": self._alert(),
        }

    def _alert(self) -> str | None:
        if self._ahead.lost:
            return f"{self._ahead.lost} records are lost: the write-ahead disk is full"
        if queued := self._ahead.queued():
            return f"{queued} records are in memory only: {self._ahead.fault}"
        return self._mover.fault

    @property
    def keyring(self) -> Keyring | None:
        """What encrypts whatever lies beside the records; None where nothing is encrypted."""
        return self._objects.keyring

    @property
    def _reader(self) -> Reader:
        from ai_gateway.records.reading import Reader

        with self._opening:
            self._opened = self._opened or Reader(self._objects, self._cache_bytes)
            return self._opened

    def scan(
        self,
        table: Table,
        columns: Sequence[str] | None = None,
        since: float | None = None,
        until: float | None = None,
        where: Sequence[Condition] = (),
    ) -> pa.Table:
        """Rows of ``since <= time < until`` (seconds since the epoch), each once.

        ``where`` holds conditions that must all be fulfilled, such as ``("status", "==", 200)``
        or ``("surface", "not in", ["judge", "proxy"])``; a null equals None.
        """
        return self._reader.scan(table, columns, since, until, where)

    def rows(self, table: Table, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Every row, each once, oldest date first: for what may be larger than the memory.

        A date is read at a time, and made to rows in parts.
        """
        from ai_gateway.records.encoding import to_rows

        for date in self._reader.dates(table):
            start = datetime.fromisoformat(date).replace(tzinfo=timezone.utc).timestamp()
            found = self.scan(table, columns, start, start + _DAY)
            for batch in found.to_batches(max_chunksize=_BATCH):
                yield from to_rows(found.from_batches([batch]))

    def newest(
        self,
        table: Table,
        limit: int,
        columns: Sequence[str] | None = None,
        since: float | None = None,
        where: Sequence[Condition] = (),
        *,
        until: float | None = None,
    ) -> pa.Table:
        """The newest ``limit`` rows that fulfil ``where``, newest first; reads no older days."""
        return self._reader.newest(table, limit, columns, since, where, until=until)

    def page(
        self,
        limit: int,
        columns: Sequence[str],
        where: Sequence[Condition],
        *,
        since: float | None = None,
        until: float | None = None,
        after: str | None = None,
    ) -> Page:
        """The newest requests, or those that became readable ``after`` a page's position.

        Raises ValueError for what is no position. See ``following``.
        """
        from ai_gateway.records import following
        from ai_gateway.records.tables import between

        if after is None:
            bounds = {"since": since, "until": until}
            return following.newest(self._reader, limit, columns, where, **bounds)
        where = [*between("received_at", since, until), *where]
        position = following.Position.read(after)
        return following.following(self._reader, position, limit, columns, where)

    def request(
        self, identity: str, at: float, where: Sequence[Condition] = ()
    ) -> dict[str, Any] | None:
        """The request of that id, which was made within an hour of ``at``, if it fulfils ``where``.

        Cheaper the nearer ``at`` (seconds since the epoch) is to when it was received.
        """
        from ai_gateway.records import following

        return following.one(self._reader, identity, at, where)

    def latest(self, table: Table, after: str | None = None) -> tuple[str, pa.Table] | None:
        """The rows of the newest time in the newest file, and a token to pass as ``after``.

        None while there is nothing newer than the token. Cheap enough to be asked every second:
        two LIST requests, and the file is read only when it is another.
        """
        found = newest_entry(self._objects, table, after or "")
        if found is None:
            return None
        try:
            return found.path, self._reader.last(table, found)
        except FileNotFoundError:  # compacted away since: another file has its rows now
            return self.latest(table, after)

    def latest_weights(self, after: str | None = None) -> tuple[str, list[dict[str, Any]]] | None:
        """The newest publication's token and rows; None while ``after`` is its token."""
        found = self.latest("weights", after)
        return found and (found[0], found[1].to_pylist())

    def unjudged(
        self,
        prompt: str,
        since: float,
        limit: int,
        random: Random,
        columns: Sequence[str] | None = None,
    ) -> Unjudged:
        """A uniform sample of the answers that ``prompt`` has not judged; see ``Unjudged``."""
        from ai_gateway.records.unjudged import unjudged

        now = self._clock.now()
        return unjudged(
            self._reader, prompt, now=now, since=since, limit=limit, random=random, columns=columns
        )

    def compact(self, grace: float = 5.0) -> Compaction | None:
        """Merge small files; None while another process does. See ``compaction.compact``."""
        from ai_gateway.records.compaction import compact

        held = self.lease("compact", f"process {os.getpid()}", ttl=600.0)
        if held is None:
            return None
        with held:
            return compact(self._reader, self._clock, held, grace)

    def prune(
        self, rules: Mapping[Table, Keep], grace: float = 5.0, may: May = lambda _: ()
    ) -> Pruned | None:
        """Delete what ``rules`` do not keep; None while another prunes, compacts or erases.

        Of ``audit`` goes what ``may`` allows, which is nothing if left out. See ``upkeep.prune``.
        """
        from ai_gateway.records import upkeep

        with self._erasing(grace) as erasing:
            return None if erasing is None else upkeep.prune(erasing, rules, may)

    def erase(self, asked: Asked, grace: float = 5.0) -> Outcome | None:
        """Erase what ``asked`` says; None where another prunes, compacts or erases.

        From then on late rows are kept out, and the next pruning carries on what did not come to
        its end, whatever the cause. See ``erasing.Erasing.run``.
        """
        self.flush()
        self.ledger.ask(asked)
        with self._erasing(grace) as erasing:
            return None if erasing is None else erasing.run(asked)

    @contextmanager
    def _erasing(self, grace: float) -> Iterator[Erasing | None]:
        from ai_gateway.records.erasing import Erasing

        held = self.lease("compact", f"process {os.getpid()}", ttl=600.0)
        if held is None:
            yield None
            return
        with held:
            aside = SetAside(self._ahead.folder, self._objects.keyring)
            yield Erasing(self._reader, self.ledger, aside, self._clock, held, grace)

    def count(self, subject: Subject) -> dict[str, int]:
        """How many stored rows an erasure of ``subject`` would take, by table."""
        from ai_gateway.records.erasing import count

        return count(self._reader, subject)

    def held(self, subject: Subject) -> Iterator[tuple[Table, dict[str, Any]]]:
        """Every row that is held on ``subject``, with its table. See ``exporting.rows``."""
        from ai_gateway.records.exporting import rows

        return rows(self._reader, subject)

    def lease(self, name: str, holder: str, ttl: float) -> Lease | None:
        """The lease ``name`` for ``ttl`` seconds, or None while another holds it."""
        return lease.acquire(self._objects, name, holder, ttl, self._clock)


def _json(row: Mapping[str, Any]) -> bytes:
    """The row as JSON on one line. What JSON cannot hold is replaced rather than the row lost."""
    try:
        return orjson.dumps(row)
    except TypeError:  # lone surrogates, integers beyond 64 bits, objects
        text = json.dumps(row, default=repr, ensure_ascii=False)
        return text.encode("utf-8", "replace")

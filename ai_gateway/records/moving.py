"""Moves segments into Parquet files that readers see.

A file is named after its segment, so that a move that is repeated, whoever repeats it, writes the
same file again. The segment goes last: whatever is interrupted is moved again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from threading import Lock
from typing import TYPE_CHECKING

from ai_gateway.records import keyring
from ai_gateway.records.keyring import Encrypted
from ai_gateway.records.ledger import Ledger
from ai_gateway.records.objects import Objects, StoreUnavailable
from ai_gateway.records.segments import BAD_SUFFIX, Segment
from ai_gateway.records.writeahead import WriteAhead

if TYPE_CHECKING:
    from ai_gateway.records import encoding

log = logging.getLogger(__name__)


def put(objects: Objects, decoded: encoding.Decoded, stem: str) -> None:
    """Write rows where readers look, a file a table and date, named ``stem``."""
    from ai_gateway.records import encoding
    from ai_gateway.records.schema import TABLES

    for name, table in decoded.tables.items():
        for date, part in encoding.by_date(table, TABLES[name].time).items():
            named = encoding.from_segment(part, stem)
            data = encoding.to_parquet(name, named, keyring=objects.keyring)
            objects.put(f"{name}/date={date}/{stem}.parquet", data)


class Mover:
    """Empties one write-ahead folder into one store."""

    def __init__(self, objects: Objects, ahead: WriteAhead) -> None:
        self.moved = self.recovered = self.dropped_tail = self.set_aside = self.errors = 0
        #: Rows that were to be erased before they were stored.
        self.erased = 0
        #: Why the last move failed; None after one that did not.
        self.fault: str | None = None
        self._objects = objects
        self._ahead = ahead
        self._ledger = Ledger(objects)
        self._lock = Lock()
        #: A segment waits for a key that is not held here.
        self._locked = False

    def run(self) -> bool:
        """Move what there is, dead processes' segments too; True when nothing was left behind."""
        with self._lock:
            self._locked = False
            self._ahead.drain()
            self._adopt()
            # While the store is away one segment grows, instead of one more each time.
            if self._clear() or self._ahead.full():
                self._ahead.seal()
            return self._clear() and not self._ahead.queued()

    def _adopt(self) -> None:
        try:
            self._ahead.adopt()
        except OSError as error:
            self._failed("the write-ahead folder cannot be read", error)

    def _clear(self) -> bool:
        """Move every sealed segment; a store that is away ends it, one bad segment does not.

        One whose key is not held here is left to whoever has it.
        """
        clear = True
        for segment in self._ahead.sealed():
            error = self._tried(segment)
            if isinstance(error, StoreUnavailable):
                return False
            clear = clear and error is None
        if clear and not self._locked:
            self.fault = None
        return clear

    def _tried(self, segment: Segment) -> Exception | None:
        try:
            self._move(segment)
        except OSError as error:
            self._failed("records cannot be moved", error)
            return error
        except Exception as error:  # the thread must live on, and the segment is still there
            log.exception("%s cannot be moved", segment.name)
            self._failed("records cannot be moved", error)
            return error
        return None

    def _failed(self, what: str, error: Exception) -> None:
        self.errors += 1
        reason = getattr(error, "strerror", None) or type(error).__name__
        if self.fault is None:
            log.error("%s: %s", what, reason)
        self.fault = f"{what}: {reason}"

    def _move(self, segment: Segment) -> None:
        from ai_gateway.records import encoding, tables

        try:
            decoded = encoding.decode(self._pieces(segment))
        except Encrypted as error:
            self._leave(segment, error)
            return
        self._forget(decoded)
        put(self._objects, decoded, segment.name)
        self._set_aside(segment, decoded.bad + decoded.unknown)
        self._ahead.done(segment)
        self._count(segment, decoded)
        tables.release_memory()

    def _pieces(self, segment: Segment) -> Iterator[bytes]:
        """Its lines in the clear; raises Encrypted."""
        start = 0
        for data in segment.pieces():
            yield keyring.lines(self._objects.keyring, segment.name, data, start)
            start += len(data)

    def _leave(self, segment: Segment, error: Encrypted) -> None:
        self._locked = True
        self._failed("records wait for their key", error)
        self._ahead.leave(segment)

    def _forget(self, decoded: encoding.Decoded) -> None:
        """Leave out what was to be erased before it was stored."""
        if subjects := [asked.subject for asked in self._ledger.pending()]:
            from ai_gateway.records import erasing

            self.erased += erasing.forget(decoded, subjects)

    def _set_aside(self, segment: Segment, lines: list[bytes]) -> None:
        if lines:
            path = segment.path.with_suffix(BAD_SUFFIX)
            data = b"\n".join([*lines, b""])
            path.write_bytes(keyring.encrypted(self._objects.keyring, path.name, data))
            log.error("%d records are set aside in %s", len(lines), path.name)

    def _count(self, segment: Segment, decoded: encoding.Decoded) -> None:
        self.moved += decoded.rows
        self.set_aside += len(decoded.bad) + len(decoded.unknown)
        if segment.adopted:
            self.recovered += decoded.rows
        if decoded.torn:
            self.dropped_tail += 1
            log.warning("%s ended in a half-written line, which is dropped", segment.name)

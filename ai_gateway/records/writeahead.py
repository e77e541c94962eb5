"""Rows on their way to a table: in a segment on disk, or in memory while the disk is full."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from ai_gateway.records import segments
from ai_gateway.records.segments import Segment, Write

if TYPE_CHECKING:
    from ai_gateway.clock import Clock
    from ai_gateway.records.keyring import Keyring

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Waiting:
    """Lines that the disk did not take."""

    data: bytes
    rows: int
    since: float


class WriteAhead:
    """This process's part of the write-ahead folder. Every method may be called by any thread."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        write: Write,
        queue_bytes: int,
        segment_bytes: int,
        *,
        keyring: Keyring | None = None,
    ) -> None:
        self.folder = folder
        self.appended = self.lost = self.errors = 0
        #: Why the last write failed; None after one that did not.
        self.fault: str | None = None
        self._clock = clock
        self._write = write
        self._queue_bytes = queue_bytes
        self._segment_bytes = segment_bytes
        self._keyring = keyring
        self._lock = Lock()
        self._current: Segment | None = None
        self._sealed: list[Segment] = []
        self._queue: deque[_Waiting] = deque()
        self._queued = 0

    def append(self, data: bytes, rows: int) -> bool:
        """Keep whole lines, on disk if it takes them; True when the segment is due to be moved."""
        with self._lock:
            self.appended += rows
            if not self._store(data, rows):
                self._enqueue(data, rows)
            return self._current is not None and self._current.size >= self._segment_bytes

    def _store(self, data: bytes, rows: int) -> bool:
        try:
            if self._current is None:
                self._current = segments.create(self.folder, self._clock.now(), self._keyring)
            self._current.append(data, rows, self._write)
        except OSError as error:
            self._failed(error.strerror or type(error).__name__)
            return False
        self.fault = None
        return True

    def _failed(self, reason: str) -> None:
        self.errors += 1
        if self.fault is None:
            log.error("records are kept in memory: %s", reason)
        self.fault = reason

    def _enqueue(self, data: bytes, rows: int) -> None:
        if self._queued + len(data) > self._queue_bytes:
            if not self.lost:
                log.critical("records are lost: the disk is full and so is the memory for them")
            self.lost += rows
            return
        self._queue.append(_Waiting(data, rows, self._clock.now()))
        self._queued += len(data)

    def drain(self) -> None:
        """Try again to write what waits in memory."""
        with self._lock:
            while self._queue and self._store(self._queue[0].data, self._queue[0].rows):
                self._queued -= len(self._queue.popleft().data)

    def seal(self) -> None:
        """End the current segment, if it holds rows; the next row opens another."""
        with self._lock:
            if self._current is not None and self._current.rows:
                self._sealed.append(self._current)
                self._current = None

    def adopt(self) -> None:
        """Seal the segments that dead processes left."""
        with self._lock:
            own = frozenset(segment.path for segment in self._held())
            for path in segments.abandoned(self.folder, own):
                if segment := segments.adopt(path):
                    self._sealed.append(segment)

    def _held(self) -> list[Segment]:
        return [*self._sealed, *([self._current] if self._current else [])]

    def sealed(self) -> list[Segment]:
        """The segments to move, oldest first."""
        with self._lock:
            return sorted(self._sealed, key=lambda segment: segment.name)

    def done(self, segment: Segment) -> None:
        """Delete a sealed segment whose rows are readable now."""
        segment.remove()
        with self._lock:
            self._sealed.remove(segment)

    def leave(self, segment: Segment) -> None:
        """Let go of a sealed segment, as it is: whoever can read it may adopt it."""
        segment.release()
        with self._lock:
            self._sealed.remove(segment)

    def full(self) -> bool:
        """True when the current segment should grow no further."""
        with self._lock:
            return self._current is not None and self._current.size >= self._segment_bytes

    def queued(self) -> int:
        """Rows that are in memory only."""
        with self._lock:
            return sum(waiting.rows for waiting in self._queue)

    def pending(self) -> tuple[int, float]:
        """Rows that no reader sees yet, and the age of the oldest in seconds (0 without any)."""
        with self._lock:
            waiting = [(each.rows, each.since) for each in self._queue]
            held = [(each.rows, each.created) for each in self._held() if each.rows]
        rows = waiting + held
        oldest = min((since for _, since in rows), default=None)
        lag = 0.0 if oldest is None else max(0.0, self._clock.now() - oldest)
        return sum(count for count, _ in rows), lag

    def release(self) -> None:
        """Let go of every segment; what was not moved is left to the next process."""
        with self._lock:
            for segment in self._held():
                if segment.rows or segment.adopted:
                    segment.release()
                else:
                    segment.remove()
            self._sealed, self._current = [], None

"""What a handler's thread hands to the event loop: bounded, and one wake-up a batch."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable

from ai_gateway.hosting.arrival import Arrival
from ai_gateway.hosting.head import Head

#: Bytes that a thread may be ahead of its caller; then it waits.
HIGH_WATER = 262_144


class CallerGone(Exception):
    """The caller has left: nobody takes the chunks any more."""


class Outbox:
    """One thread puts, the event loop takes; there ``ready`` is called when something has come.

    Each side alone writes its own counter, and the side that reads first clears ``_woken``, so no
    lock is needed: at worst a wake-up finds nothing.
    """

    __slots__ = (
        "_arrival",
        "_chunks",
        "_context",
        "_due",
        "_loop",
        "_pulse",
        "_put",
        "_ready",
        "_room",
        "_taken",
        "_woken",
        "broken",
        "finished",
        "head",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, arrival: Arrival, ready: Callable[[], object]
    ) -> None:
        self._loop = loop
        self._arrival = arrival
        self._ready = ready
        #: The event loop's: a timer that it sets would keep the thread's, and all that is in it.
        self._context = contextvars.copy_context()
        self._room: threading.Event | None = None
        self._chunks: deque[bytes] = deque()
        self._put = self._taken = 0
        self._woken = False
        self._pulse: asyncio.TimerHandle | None = None
        self._due = b""
        #: Set before the first wake-up.
        self.head: Head | None = None
        #: No more chunks will come.
        self.finished = False
        #: The application failed after its head was put: what was sent is no whole reply.
        self.broken = False

    # The thread's side

    def put(self, chunk: bytes, *, wake: bool = True) -> None:
        """Hand over a chunk; wait while the caller reads slowly; raises CallerGone."""
        if self._arrival.is_set():
            raise CallerGone
        self._chunks.append(chunk)
        self._put += len(chunk)
        if wake:
            self._wake()
        if self._put - self._taken > HIGH_WATER:
            self._wait_for_room()

    def finish(self, *, broken: bool = False) -> None:
        """Nothing more will come."""
        self.broken = broken
        self.finished = True
        self._wake()

    def _wait_for_room(self) -> None:
        self._wake()
        if self._room is None:
            self._room = threading.Event()
            self._arrival.add_callback(self._room.set)
        while self._put - self._taken > HIGH_WATER:
            self._room.wait()
            if self._arrival.is_set():
                raise CallerGone
            self._room.clear()

    def _wake(self) -> None:
        if not self._woken:
            self._woken = True
            try:
                self._loop.call_soon_threadsafe(self._ready, context=self._context)
            except RuntimeError:  # the loop is closed: the server has stopped
                return

    # The event loop's side

    def take(self) -> tuple[bytes, bool]:
        """All that is there, and whether it is the last."""
        self._woken = False
        last = self.finished  # read before the chunks: once it is set, all of them are there
        chunks = self._chunks
        batch = [chunks.popleft() for _ in range(len(chunks))]
        if last:
            self.end()
        if self._due:
            if not batch and not last:
                batch.append(self._due)
            self._due = b""
        return (batch[0] if len(batch) == 1 else b"".join(batch)), last

    def end(self) -> None:
        """Call nobody any more: who was called refers to this, which the collector had to find."""
        if self._pulse:
            self._pulse.cancel()
        self._ready = _nothing

    def watch(self) -> None:
        """Let ``take`` give the head's heartbeat where too little comes from the thread.

        Looking twice in the time that may pass keeps to it, and costs nothing a chunk.
        """
        if self.head and self.head.heartbeat:
            self._look_again(*self.head.heartbeat)

    def _look_again(self, seconds: float, beat: bytes) -> None:
        self._pulse = self._loop.call_later(seconds / 2, self._look, seconds, beat, self._taken)

    def _look(self, seconds: float, beat: bytes, taken: int) -> None:
        self._look_again(seconds, beat)
        if taken == self._taken:
            self._due = beat
            self._ready()

    def taken(self, size: int) -> None:
        """The transport has taken ``size`` bytes: there is room again."""
        self._taken += size
        if self._room is not None:
            self._room.set()


def _nothing() -> None:
    """Call nobody."""

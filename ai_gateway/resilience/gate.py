"""A bound on the calls that a model gets at once, with a bounded queue for those that wait."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from threading import Event, Lock
from typing import Protocol

from ai_gateway.clock import Clock
from ai_gateway.errors import CallerLeft
from ai_gateway.resilience.declared import Concurrency
from ai_gateway.resilience.failures import Busy
from ai_gateway.resilience.live import Live


class Caller(Protocol):
    """Who waits for the answer, as the host knows it (``environ["gateway.disconnected"]``)."""

    def is_set(self) -> bool:
        """Whether the caller has left."""

    def add_callback(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` when the caller leaves, or now."""


class Slot:
    """One call's place; to be closed when the call is over (``contextlib.closing``)."""

    __slots__ = ("_leave",)

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave: Callable[[], None] | None = leave

    def close(self) -> None:
        """Free the place, once."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()


class _Waiter:
    """One call in the queue. ``granted`` is set under the gate's lock: a place is handed over."""

    __slots__ = ("granted", "woken")

    def __init__(self) -> None:
        self.granted = False
        self.woken = Event()


class Gate:
    """At most ``limit`` calls at once, first come first served.

    A place that becomes free is handed to the first in the queue under one lock, so that no
    newcomer overtakes and no wake-up is lost.
    """

    def __init__(self, declared: Concurrency, clock: Clock) -> None:
        self._declared = declared
        self._clock = clock
        self._lock = Lock()
        self._busy = 0
        self._beside = 0
        self._queue: deque[_Waiter] = deque()

    @property
    def busy(self) -> int:
        """Calls that have a place, for metrics."""
        return self._busy

    @property
    def queued(self) -> int:
        """Calls that wait for one, for metrics."""
        return len(self._queue)

    @property
    def full(self) -> bool:
        """Whether nobody else is let in, nor into the queue."""
        declared = self._declared
        return self._busy >= declared.limit and len(self._queue) >= declared.queue

    def enter(self, deadline: float, caller: Caller | None = None) -> Slot:
        """A place, by ``deadline`` (of the clock's monotonic time) and within the declared wait.

        Raises Busy where the queue is full or the wait too long, CallerLeft where ``caller`` did.
        """
        with self._lock:
            if self._busy < self._declared.limit and not self._queue:
                self._busy += 1
                return Slot(self._leave)
            if len(self._queue) >= self._declared.queue:
                raise self._refusal()
            waiter = _Waiter()
            self._queue.append(waiter)
        self._wait(waiter, deadline, caller)
        return Slot(self._leave)

    def beside(self) -> Slot:
        """A place that is free now, for a call that keeps nobody from it who enters later.

        Raises Busy where none is free.
        """
        with self._lock:
            if self._busy + self._beside >= self._declared.limit:
                raise self._refusal()
            self._beside += 1
        return Slot(self._leave_beside)

    def adopt(self, declared: Concurrency) -> None:
        """From now on ``declared`` holds; those in the queue wait as long as was said before."""
        with self._lock:
            self._declared = declared
            self._grant()

    def _wait(self, waiter: _Waiter, deadline: float, caller: Caller | None) -> None:
        try:
            if caller is not None:
                caller.add_callback(waiter.woken.set)
            longest = min(self._declared.wait, deadline - self._clock.monotonic())
            waiter.woken.wait(max(0.0, longest))
        except BaseException:
            self._withdraw(waiter)
            raise
        with self._lock:
            if waiter.granted:
                return
            self._queue.remove(waiter)
        if caller is not None and caller.is_set():
            raise CallerLeft("The caller left while it waited for the model.")
        raise self._refusal()

    def _withdraw(self, waiter: _Waiter) -> None:
        with self._lock:
            if not waiter.granted:
                self._queue.remove(waiter)
                return
        self._leave()

    def _leave(self) -> None:
        with self._lock:
            self._busy -= 1
            self._grant()

    def _leave_beside(self) -> None:
        with self._lock:
            self._beside -= 1

    def _grant(self) -> None:
        while self._queue and self._busy < self._declared.limit:
            waiter = self._queue.popleft()
            waiter.granted = True
            self._busy += 1
            waiter.woken.set()

    def _refusal(self) -> Busy:
        wait = math.ceil(self._declared.wait)
        return Busy(
            "The model is busy: all its places are taken, and so is the queue.",
            headers={"retry-after": str(wait)},
        )


class Gates(Live[Concurrency, Gate]):
    """Every model's gate, by name; it lives on across reloads."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(lambda declared: Gate(declared, clock))

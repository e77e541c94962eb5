"""Threads that are made when needed, woken last in first out, and gone after a while of idleness.

The newest idle thread is woken first: its memory is warm, and the others come to their end.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

logger = logging.getLogger(__name__)

Job = Callable[[], None]


class _Seat:
    """Where an idle thread sleeps until it is handed a job."""

    __slots__ = ("job", "wake")

    def __init__(self) -> None:
        self.job: Job | None = None
        self.wake = threading.Lock()
        self.wake.acquire()

    def hand(self, job: Job) -> None:
        self.job = job
        self.wake.release()

    def take(self) -> Job | None:
        job, self.job = self.job, None
        return job


class ThreadPool:
    """Up to ``threads`` daemon threads and ``queued`` jobs that wait for one."""

    def __init__(self, name: str, threads: int, queued: int, idle_seconds: float = 30.0) -> None:
        self._name = name
        self._threads = threads
        self._queued = queued
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._idle: list[_Seat] = []
        self._queue: deque[Job] = deque()
        self.size = 0

    @property
    def idle(self) -> int:
        """Threads that wait for a job."""
        return len(self._idle)

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        with self._lock:
            return bool(self._queue) or self.size > len(self._idle)

    def submit(self, job: Job) -> bool:
        """Run ``job`` in a thread, soon; False when threads and queue are full."""
        with self._lock:
            if self._idle:
                self._idle.pop().hand(job)
                return True
            if self.size < self._threads and self._start(job):
                return True
            if not self.size or len(self._queue) >= self._queued:
                return False
            self._queue.append(job)
            return True

    def _start(self, job: Job) -> bool:
        thread = threading.Thread(target=self._work, args=(job,), name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the machine gives no more threads: those there are go on
            return False
        self.size += 1
        return True

    def _work(self, first: Job) -> None:
        seat = _Seat()
        seat.job = first
        del first  # a job holds a request: an idle thread must not
        while (job := seat.take()) is not None:
            _run(job)
            del job
            self._rest(seat)

    def _rest(self, seat: _Seat) -> None:
        """Put the next job on ``seat``, or none when it is time to go."""
        with self._lock:
            if self._queue:
                seat.job = self._queue.popleft()
                return
            self._idle.append(seat)
        if seat.wake.acquire(timeout=self._idle_seconds):
            return
        with self._lock:
            if seat in self._idle:
                self._idle.remove(seat)
                self.size -= 1
                return
        seat.wake.acquire()  # a job was handed over at the last moment


def _run(job: Job) -> None:
    try:
        job()
    except Exception:
        logger.exception("A job of the server failed.")

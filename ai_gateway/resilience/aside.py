"""Work beside the requests: bounded, waited for by nobody, ended with the process."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

log = logging.getLogger(__name__)

MOST = 64  # pieces of work at once, whatever their names


class Ending:
    """Tells one piece of work that the process ends: what a caller's leaving is to a request."""

    __slots__ = ("_callbacks", "_lock", "_over")

    def __init__(self) -> None:
        self._lock = Lock()
        self._over = False
        self._callbacks: list[Callable[[], object]] = []

    def is_set(self) -> bool:
        """Whether it ends."""
        return self._over

    def add_callback(self, callback: Callable[[], object], /) -> None:
        """Call ``callback`` when it ends, or now."""
        with self._lock:
            if not self._over:
                self._callbacks.append(callback)
                return
        callback()

    def end(self) -> None:
        """It ends."""
        with self._lock:
            self._over = True
        for callback in self._callbacks:
            callback()


class Aside:
    """Threads of their own for what no caller may feel; it lives on across reloads."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = Lock()
        self._busy: Counter[str] = Counter()
        self._running: set[Ending] = set()
        self._closed = False
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="aside")

    @property
    def running(self) -> int:
        """Pieces of work that are under way."""
        return len(self._running)

    def run(self, name: str, limit: int, work: Callable[[Ending], object]) -> bool:
        """Begin ``work``, unless ``limit`` of that name, or as many as there may be, are under way.

        It is told by its Ending when the process ends. What it raises is logged.
        """
        ending = Ending()
        with self._lock:
            full = self._busy[name] >= limit or len(self._running) >= self._most
            if full or self._closed:
                return False
            self._busy[name] += 1
            self._running.add(ending)
            self._pool.submit(self._work, name, work, ending)
        return True

    def close(self) -> None:
        """Tell all work to end, and wait for it; no more begins."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for ending in running:
            ending.end()
        self._pool.shutdown()

    def _work(self, name: str, work: Callable[[Ending], object], ending: Ending) -> None:
        try:
            work(ending)
        except Exception:
            log.exception("work beside the requests failed: %s", name)
        finally:
            with self._lock:
                self._busy[name] -= 1
                self._running.discard(ending)

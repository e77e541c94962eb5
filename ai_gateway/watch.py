"""What is looked at again and again, since no store and no file tells of a change."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread


class Watch:
    """A thread that calls ``look`` every so many seconds, from its start to its stop."""

    def __init__(self, name: str, every: float, look: Callable[[], object]) -> None:
        self._every = every
        self._look = look
        self._stop = Event()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Look from now on; the first time when ``every`` seconds are over."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; also where it never began."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self._look()

"""One reading of the store for all who look at the page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Final, Generic, TypeVar

from ai_gateway.clock import Clock

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

#: A reading is kept this many times as long as it took, so that reading a large or slow store
#: takes a fifth of one core at most, however many look at it.
_REST: Final = 4


class Shared(Generic[Key, Value]):
    """``load(key)``, at most once in ``seconds`` for each key, whoever asks and however many.

    Callers that come during a reading wait for it and get what it found. ``load`` must not raise.
    """

    def __init__(self, load: Callable[[Key], Value], seconds: float, clock: Clock) -> None:
        self._load = load
        self._seconds = seconds
        self._clock = clock
        self._locks: defaultdict[Key, Lock] = defaultdict(Lock)
        self._held: dict[Key, tuple[float, Value]] = {}

    def get(self, key: Key) -> Value:
        """The value of ``key``, read now or a moment ago."""
        with self._locks[key]:
            until, value = self._held.get(key, (0.0, None))
            start = self._clock.monotonic()
            if value is None or start >= until:
                value = self._load(key)
                end = self._clock.monotonic()
                self._held[key] = (end + max(self._seconds, _REST * (end - start)), value)
            return value

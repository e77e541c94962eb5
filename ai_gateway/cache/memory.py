"""A cache in this process's memory, bounded by bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar

from cachetools import TLRUCache

from ai_gateway.clock import Clock

_OVERHEAD = 400  # bytes that an entry takes beside its value

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Held(Generic[Value]):
    value: Value
    size: int
    until: float


@dataclass(slots=True)
class _Group(Generic[Value]):
    cache: TLRUCache[str, _Held[Value]]
    #: Bytes as they were last counted.
    size: int = field(default=0)


class Bounded(Generic[Value]):
    """Values by group and key, with a time to live and a bound on the bytes of all.

    Where the bound is reached the group that holds most loses what it used longest ago, so that no
    group (a tenant, say) can drive out the others. Safe for threads.
    """

    def __init__(self, clock: Clock, max_bytes: int) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._groups: dict[str, _Group[Value]] = {}
        self._bytes = 0

    @property
    def size(self) -> int:
        """Bytes in use, for metrics; what has run out counts until its group is used again."""
        return self._bytes

    def get(self, group: str, key: str) -> Value | None:
        """The value, if its time has not run out."""
        with self._lock:
            known = self._groups.get(group)
            held = None if known is None else known.cache.get(key)
        return None if held is None else held.value

    def set(
        self, group: str, key: str, value: Value, *, size: int, ttl: float, entries: int = 1_000_000
    ) -> None:
        """Keep ``value`` of ``size`` bytes for ``ttl`` seconds; what is over the bound is not.

        ``entries`` is how many the group may have.
        """
        size += len(key) + _OVERHEAD
        if size > self._max_bytes:
            return
        held = _Held(value, size, self._clock.monotonic() + ttl)
        with self._lock:
            known = self._groups.get(group)
            if known is None:
                known = self._groups[group] = _Group(self._cache())
            known.cache[key] = held
            while len(known.cache) > entries:
                known.cache.popitem()
            self._count(group)
            while self._bytes > self._max_bytes:
                self._shrink()

    def values(self, group: str) -> list[Value]:
        """All of a group's values whose time has not run out."""
        with self._lock:
            known = self._groups.get(group)
            if known is None:
                return []
            held = map(known.cache.get, list(known.cache))
            return [found.value for found in held if found is not None]

    def forget(self, group: str | None = None) -> None:
        """Let go of a group's values, or of all."""
        with self._lock:
            for name in list(self._groups) if group is None else [group]:
                if known := self._groups.pop(name, None):
                    self._bytes -= known.size

    def _cache(self) -> TLRUCache[str, _Held[Value]]:
        return TLRUCache(self._max_bytes, _until, timer=self._clock.monotonic, getsizeof=_size)

    def _shrink(self) -> None:
        """Take from the group that held most; counting it may show that time took enough."""
        group = max(self._groups, key=lambda name: self._groups[name].size)
        known = self._groups[group]
        known.cache.expire()
        if known.cache and known.cache.currsize >= known.size:
            known.cache.popitem()
        self._count(group)
        if not known.cache:
            del self._groups[group]

    def _count(self, group: str) -> None:
        known = self._groups[group]
        size = int(known.cache.currsize)
        self._bytes += size - known.size
        known.size = size


def _until(_key: str, held: _Held[Value], _now: float) -> float:
    return held.until


def _size(held: _Held[Value]) -> int:
    return held.size

"""Where sign-ins and sessions are kept: in this process, or in a Redis that all of them share.

What a browser holds is looked for by its SHA-256, so that who reads the store has no cookie.
"""

from __future__ import annotations

import hashlib
import importlib
from threading import Lock
from typing import Any, Final, Literal, Protocol

from cachetools import TLRUCache

from ai_gateway.clock import Clock
from ai_gateway.errors import StoreAway

MEMORY: Final = "memory://"
#: Of each kind; where there are more, the one that was used longest ago goes.
BOUND: Final = 10_000
_PREFIX: Final = "ai-gateway:portal:1:"
_PATIENCE: Final = 0.5  # seconds

Kind = Literal["sign-in", "session"]
_KINDS: Final[tuple[Kind, ...]] = ("sign-in", "session")


class Store(Protocol):
    """Bytes by kind and by a secret. What cannot be reached raises StoreAway."""

    def put(self, kind: Kind, secret: str, value: bytes, ttl: float) -> None:
        """Keep ``value`` for ``ttl`` seconds."""

    def get(self, kind: Kind, secret: str, ttl: float) -> bytes | None:
        """What is kept, from now on for ``ttl`` seconds; None where there is nothing."""

    def take(self, kind: Kind, secret: str) -> bytes | None:
        """What was kept, and is no longer: of several who ask at once, one gets it."""

    def close(self) -> None:
        """Let go of connections."""


_Kept = tuple[bytes, float]


def _end(_name: str, kept: _Kept, now: float) -> float:
    return now + kept[1]


class MemoryStore:
    """A Store of this process: all is lost with it."""

    def __init__(self, clock: Clock, bound: int = BOUND) -> None:
        self._lock = Lock()
        self._kept: dict[Kind, TLRUCache[str, _Kept]] = {
            kind: TLRUCache(bound, _end, timer=clock.monotonic) for kind in _KINDS
        }

    def put(self, kind: Kind, secret: str, value: bytes, ttl: float) -> None:
        """Keep ``value`` for ``ttl`` seconds."""
        with self._lock:
            self._kept[kind][_name(kind, secret)] = (value, ttl)

    def get(self, kind: Kind, secret: str, ttl: float) -> bytes | None:
        """What is kept, from now on for ``ttl`` seconds; None where there is nothing."""
        name, kept = _name(kind, secret), self._kept[kind]
        with self._lock:
            found = kept.get(name)
            if found is None:
                return None
            kept[name] = (found[0], ttl)
        return found[0]

    def take(self, kind: Kind, secret: str) -> bytes | None:
        """What was kept, and is no longer."""
        with self._lock:
            found = self._kept[kind].pop(_name(kind, secret), None)
        return None if found is None else found[0]

    def close(self) -> None:
        """There is nothing to let go of."""


class RedisStore:
    """A Store in Redis. To read and to use or take away is one step, so that nothing comes back.

    ``failures`` are the exceptions that mean it is away.
    """

    def __init__(self, client: Any, failures: tuple[type[Exception], ...]) -> None:
        self._client = client
        self._failures = failures

    def put(self, kind: Kind, secret: str, value: bytes, ttl: float) -> None:
        """Keep ``value`` for ``ttl`` seconds."""
        try:
            self._client.set(_name(kind, secret), value, px=_milliseconds(ttl))
        except self._failures:
            raise _away() from None

    def get(self, kind: Kind, secret: str, ttl: float) -> bytes | None:
        """What is kept, from now on for ``ttl`` seconds; None where there is nothing."""
        return self._first("pexpire", _name(kind, secret), _milliseconds(ttl))

    def take(self, kind: Kind, secret: str) -> bytes | None:
        """What was kept, and is no longer."""
        return self._first("unlink", _name(kind, secret))

    def _first(self, then: str, name: str, *more: int) -> bytes | None:
        pipeline = self._client.pipeline(transaction=True)
        pipeline.get(name)
        getattr(pipeline, then)(name, *more)
        try:
            found = pipeline.execute()[0]
        except self._failures:
            raise _away() from None
        return found if isinstance(found, bytes) else None

    def close(self) -> None:
        """Close the connections to Redis."""
        self._client.close()


def _name(kind: Kind, secret: str) -> str:
    return f"{_PREFIX}{kind}:{hashlib.sha256(secret.encode()).hexdigest()}"


def _milliseconds(ttl: float) -> int:
    return max(1, int(ttl * 1000))


def _away() -> StoreAway:
    return StoreAway("Who is signed in cannot be looked up now; try again.")


def store(state: str, clock: Clock) -> Store:
    """That of ``memory://`` or ``redis://...``; the latter needs the ``redis`` package."""
    if state == MEMORY:
        return MemoryStore(clock)
    redis = importlib.import_module("redis")
    client = redis.Redis.from_url(
        state, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE, max_connections=64
    )
    return RedisStore(client, (redis.RedisError, OSError))

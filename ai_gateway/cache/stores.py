"""Where serialised answers are kept: in this process, or in a Redis that all of them share."""

from __future__ import annotations

import hashlib
import importlib
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from ai_gateway.cache.memory import Bounded
from ai_gateway.clock import Clock
from ai_gateway.resilience.circuit import Circuit
from ai_gateway.resilience.declared import Breaker

MAX_BYTES: Final = 64_000_000
log = logging.getLogger(__name__)

MAX_ENTRY: Final = 1_000_000  # bytes; a larger answer is not kept
_PAGE: Final = 1000
_PATIENCE: Final = 0.25  # seconds; a cache that is slower than that is none
_PREFIX: Final = "ai-gateway:cache:1:"


class Store(Protocol):
    """Bytes by tenant and key. It may lose anything at any time, and never raises."""

    def get(self, tenant: str, key: str) -> bytes | None:
        """What was kept, if its time has not run out."""

    def set(self, tenant: str, key: str, value: bytes, ttl: float) -> None:
        """Keep ``value`` for ``ttl`` seconds."""

    def forget(self, tenant: str) -> bool:
        """Let go of all that a tenant has; False where that could not be done."""


class MemoryStore:
    """A Store of this process. Tenants share the bytes; none can drive out another's answers."""

    def __init__(self, clock: Clock, max_bytes: int = MAX_BYTES) -> None:
        self._held: Bounded[bytes] = Bounded(clock, max_bytes)

    def get(self, tenant: str, key: str) -> bytes | None:
        """What was kept, if its time has not run out."""
        return self._held.get(tenant, key)

    def set(self, tenant: str, key: str, value: bytes, ttl: float) -> None:
        """Keep ``value`` for ``ttl`` seconds."""
        if len(value) <= MAX_ENTRY:
            self._held.set(tenant, key, value, size=len(value), ttl=ttl)

    def forget(self, tenant: str) -> bool:
        """Let go of all that a tenant has."""
        self._held.forget(tenant)
        return True

    def close(self) -> None:
        """There is nothing to let go of."""


class Client(Protocol):
    """What a RedisStore needs of redis-py's client."""

    def get(self, name: str, /) -> Any:
        """The value as bytes, or None."""

    def set(self, name: str, value: bytes, /, *, px: int) -> Any:
        """Set a value that expires in ``px`` milliseconds."""

    def scan_iter(self, *, match: str, count: int) -> Iterable[Any]:
        """The names that fit a pattern, asked for about ``count`` at a time."""

    def unlink(self, *names: Any) -> Any:
        """Delete values."""

    def close(self) -> object:
        """Close its connections."""


class RedisStore:
    """A Store in Redis, whose own ``maxmemory`` bounds it.

    A Redis that fails or is slow is left alone for some seconds; a model then answers.
    ``failures`` are the exceptions that mean so.
    """

    def __init__(self, client: Client, failures: tuple[type[Exception], ...], clock: Clock) -> None:
        self._client = client
        self._failures = failures
        self._circuit = Circuit(Breaker(failures=3, share=0, window=10, cooldown=5), clock)

    @property
    def available(self) -> bool:
        """Whether Redis answers, for metrics and readiness."""
        return self._circuit.state == "closed"

    def get(self, tenant: str, key: str) -> bytes | None:
        """What was kept, if its time has not run out."""
        name = _name(tenant, key)
        found = self._ask(lambda: self._client.get(name))
        return found if isinstance(found, bytes) else None

    def set(self, tenant: str, key: str, value: bytes, ttl: float) -> None:
        """Keep ``value`` for ``ttl`` seconds."""
        if len(value) <= MAX_ENTRY:
            name, left = _name(tenant, key), max(1, int(ttl * 1000))
            self._ask(lambda: self._client.set(name, value, px=left))

    def forget(self, tenant: str) -> bool:
        """Let go of all that a tenant has; False where Redis does not answer."""
        return self._ask(lambda: self._forgotten(_name(tenant, "*"))) is True

    def _forgotten(self, pattern: str) -> bool:
        for name in self._client.scan_iter(match=pattern, count=_PAGE):
            self._client.unlink(name)
        return True

    def close(self) -> None:
        """Close the connections to Redis."""
        self._client.close()

    def _ask(self, command: Callable[[], object]) -> object:
        leave = self._circuit.enter()
        if leave is None:
            return None
        try:
            answer = command()
        except self._failures as error:
            leave.fail()
            if not self.available:
                log.warning("the cache's Redis fails (%s); models answer", type(error).__name__)
            return None
        leave.succeed()
        return answer


def _name(tenant: str, key: str) -> str:
    # By digest: a tenant's own name may hold anything.
    return f"{_PREFIX}{hashlib.sha256(tenant.encode()).hexdigest()[:32]}:{key}"


def unusable(url: str, package: str = "redis") -> tuple[str, str] | None:
    """Why there is no store at ``url``, and what would be right; the address is not shown."""
    scheme, mark, _ = url.partition("://")
    if not mark or scheme not in ("redis", "rediss"):
        return "another address", "memory://, redis://HOST:PORT or rediss://HOST:PORT"
    found = f"{scheme}://..."
    try:
        importlib.import_module(package).Redis.from_url(url).close()
    except ImportError:
        return f"{found} without the package redis", "pip install 'ai-gateway[redis]', or memory://"
    except (ValueError, TypeError):
        return f"{found}, which cannot be read", f"{scheme}://[:PASSWORD@]HOST[:PORT][/NUMBER]"
    return None


def redis_store(url: str, clock: Clock) -> RedisStore:
    """A RedisStore at ``url`` (``redis://``, ``rediss://``); needs the ``redis`` package."""
    redis = importlib.import_module("redis")
    client = redis.Redis.from_url(
        url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE, max_connections=1000
    )
    return RedisStore(client, (redis.RedisError, OSError), clock)

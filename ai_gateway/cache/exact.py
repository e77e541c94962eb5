"""Answers to the very same request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from ai_gateway.cache.stores import Store
from ai_gateway.clock import Clock


@dataclass(frozen=True, slots=True)
class Cached:
    """A whole answer, the model that gave it, and when (seconds since the epoch)."""

    model: str
    body: Mapping[str, Any]
    stored_at: float

    def packed(self) -> bytes:
        """As it is kept."""
        return orjson.dumps([self.model, self.stored_at, self.body])


def unpacked(data: bytes) -> Cached | None:
    """What was kept; None for what is no answer, since others may write to a shared store."""
    try:
        model, stored_at, body = orjson.loads(data)
    except ValueError:
        return None
    right = isinstance(model, str) and isinstance(stored_at, float) and isinstance(body, dict)
    return Cached(model, body, stored_at) if right else None


class ExactCache:
    """Answers by ``key.key`` of their requests, each tenant's own."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def get(self, tenant: str, key: str) -> Cached | None:
        """The answer that was given to this request."""
        data = self._store.get(tenant, key)
        return None if data is None else unpacked(data)

    def put(self, tenant: str, key: str, model: str, body: Mapping[str, Any], ttl: float) -> bytes:
        """Keep a whole answer for ``ttl`` seconds; it is serialised once, and handed back so."""
        data = Cached(model, body, self._clock.now()).packed()
        self._store.set(tenant, key, data, ttl)
        return data

"""Answers to the very same request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, Final

import orjson

from ai_gateway.cache.stores import Store


@dataclass(frozen=True, slots=True)
class Cached:
    """A whole answer: who gave it, to which request, when (seconds since the epoch), what it cost.

    ``simulated`` says that a stand-in gave it.
    """

    model: str
    body: Mapping[str, Any]
    stored_at: float
    request_id: str = ""
    cost: float | None = None
    simulated: bool = False

    def packed(self) -> bytes | None:
        """As it is kept; None for what would come back as something else."""
        try:
            return orjson.dumps(self)
        except TypeError:  # an integer beyond 64 bits
            return None


def unpacked(data: bytes) -> Cached | None:
    """What was kept; None for what is no answer, since others may write to a shared store."""
    try:
        found = Cached(**orjson.loads(data))
    except (ValueError, TypeError):
        return None
    return found if all(isinstance(getattr(found, k), kind) for k, kind in _KINDS) else None


_KINDS: Final = (
    ("model", str),
    ("body", dict),
    ("stored_at", float),
    ("request_id", str),
    ("cost", (float, NoneType)),
    ("simulated", bool),
)


class ExactCache:
    """Answers by ``key.key`` of their requests, each tenant's own."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, tenant: str, key: str) -> Cached | None:
        """The answer that was given to this request."""
        data = self._store.get(tenant, key)
        return None if data is None else unpacked(data)

    def put(self, tenant: str, key: str, data: bytes, ttl: float) -> None:
        """Keep a packed answer for ``ttl`` seconds."""
        self._store.set(tenant, key, data, ttl)

    def forget(self, tenant: str) -> bool:
        """Let go of a tenant's answers; False where the store does not answer."""
        return self._store.forget(tenant)

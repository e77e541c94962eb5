"""The caches of one process: they outlive its bundles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ai_gateway.cache.exact import ExactCache
from ai_gateway.cache.semantic import SemanticCache
from ai_gateway.cache.stores import MemoryStore, RedisStore, redis_store
from ai_gateway.clock import Clock

MEMORY = "memory://"


@dataclass(frozen=True, slots=True)
class Caches:
    """Exact answers, where ``GATEWAY_STATE`` says; questions with their vectors, in memory."""

    exact: ExactCache
    semantic: SemanticCache
    _store: MemoryStore | RedisStore

    @classmethod
    def of(cls, state: str, clock: Clock) -> Caches:
        """Those of ``memory://`` or ``redis://...``; the latter needs the ``redis`` package."""
        store = MemoryStore(clock) if state == MEMORY else redis_store(state, clock)
        return cls(ExactCache(store), SemanticCache(clock), store)

    def forget(self, tenants: Iterable[str]) -> bool:
        """Let go of the answers of ``tenants``; False where a store did not answer.

        Questions that are compared by meaning all go: they do not tell whose they are.
        """
        self.semantic.forget()
        answered = [self.exact.forget(tenant) for tenant in tenants]
        return all(answered)

    def close(self) -> None:
        """Let go of connections."""
        self._store.close()

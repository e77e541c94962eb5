"""What is cached of a tenant is forgotten, and of no other."""

from __future__ import annotations

import pytest

from ai_gateway.cache.caches import Caches
from ai_gateway.cache.key import Question
from ai_gateway.cache.memory import Bounded
from ai_gateway.cache.semantic import asked
from ai_gateway.cache.stores import redis_store
from ai_gateway.clock import SystemClock
from tests.cache.conftest import redis_url  # noqa: F401 - a fixture


@pytest.mark.parametrize("kind", ["memory", "redis"])
def test_a_tenants_answers_go_and_another_ones_stay(request, kind) -> None:
    """In memory and in Redis, whatever the tenants are called, and however many there are."""
    state = "memory://" if kind == "memory" else request.getfixturevalue("redis_url")
    caches = Caches.of(state, SystemClock())
    for tenant in ("acme", "other", "ac*"):
        for number in range(1100):
            caches.exact.put(tenant, f"{number}", b"{}", 60)
    assert caches.forget(["acme", "nobody"])
    store = caches._store
    assert [store.get("acme", f"{number}") for number in range(1100)] == [None] * 1100
    assert store.get("other", "7") == store.get("ac*", "7") == b"{}"
    caches.close()


def test_questions_that_are_compared_by_meaning_all_go() -> None:
    """They do not tell whose they are."""
    caches = Caches.of("memory://", SystemClock())
    question = asked(Question("p", "What is a monad?"), lambda _text: [1.0, 0.0])
    assert question is not None
    data = b'{"model": "m", "body": {}, "stored_at": 1.0}'
    caches.semantic.put(question, data, 60)
    assert caches.semantic.find(question, 0.9) is not None
    assert caches.forget([])
    assert caches.semantic.find(question, 0.9) is None


def test_a_redis_that_is_away_is_told() -> None:
    """Its answers live on until their time runs out."""
    store = redis_store("redis://127.0.0.1:1", SystemClock())
    assert store.forget("acme") is False
    store.close()


def test_bytes_of_what_was_forgotten_are_free() -> None:
    """So that the bound holds for what is there."""
    held: Bounded[bytes] = Bounded(SystemClock(), 10_000)
    for group in ("a", "b"):
        held.set(group, "k", b"value", size=5, ttl=60)
    before = held.size
    held.forget("a")
    assert (held.size, held.get("b", "k")) == (before / 2, b"value")
    held.forget()
    assert (held.size, held.get("b", "k")) == (0, None)

"""Sign-ins and sessions are kept for as long as they were to be, in memory or in Redis."""

from __future__ import annotations

import time
from importlib import import_module
from threading import Barrier, Thread

import pytest

from ai_gateway.errors import StoreAway
from ai_gateway.portal import states
from ai_gateway.portal.states import MemoryStore, store
from tests.access.oidc import Clock
from tests.limits.conftest import redis  # noqa: F401 - a fixture
from tests.portal.conftest import browse


def test_memory_keeps_what_it_is_told_to() -> None:
    """For its time; use makes it longer, and what was taken is gone."""
    clock = Clock()
    found = store(states.MEMORY, clock)
    found.put("session", "a", b"1", 10)
    assert found.get("sign-in", "a", 10) is None
    clock.time += 9
    assert found.get("session", "a", 10) == b"1"
    clock.time += 9
    assert found.take("session", "a") == b"1"
    assert found.take("session", "a") is None
    found.put("session", "a", b"1", 10)
    clock.time += 11
    assert found.get("session", "a", 10) is None
    assert found.take("session", "a") is None
    found.close()


def test_memory_is_bounded() -> None:
    """What was used longest ago goes; a flood of sign-ins ends no session."""
    found = MemoryStore(Clock(), bound=2)
    found.put("session", "old", b"1", 10)
    for number in range(5):
        found.put("sign-in", str(number), b"1", 10)
    assert found.get("session", "old", 10) == b"1"
    assert [found.get("sign-in", str(number), 10) for number in range(5)] == [None] * 3 + [b"1"] * 2


def test_redis_keeps_what_it_is_told_to(redis) -> None:  # noqa: F811 - the fixture
    """As memory does; the cookie's own value is not in it."""
    found = store(redis.url, Clock())
    found.put("session", "a-cookie", b"1", 10)
    with import_module("redis").Redis.from_url(redis.url) as client:
        [name] = client.keys("*")
        assert b"a-cookie" not in name
        assert 0 < client.pttl(name) <= 10_000
        assert found.get("session", "a-cookie", 30) == b"1"
        assert 10_000 < client.pttl(name) <= 30_000
    assert found.take("session", "a-cookie") == b"1"
    assert found.get("session", "a-cookie", 30) is None
    found.put("sign-in", "b", b"2", 0.05)
    time.sleep(0.1)
    assert found.take("sign-in", "b") is None
    found.close()


def test_of_many_who_take_one_gets_it(redis) -> None:  # noqa: F811 - the fixture
    """A sign-in that is answered twice at once is answered once."""
    found, taken, barrier = store(redis.url, Clock()), [], Barrier(8)
    found.put("sign-in", "a", b"1", 10)

    def take() -> None:
        barrier.wait()
        taken.append(found.take("sign-in", "a"))

    threads = [Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(filter(None, taken)) == [b"1"]
    found.close()


def test_a_redis_that_is_away_is_told(redis) -> None:  # noqa: F811 - the fixture
    """Nobody is taken for signed in, and nobody waits long."""
    found = store(redis.url, Clock())
    works = (
        lambda: found.put("session", "a", b"1", 1),
        lambda: found.get("session", "a", 1),
        lambda: found.take("session", "a"),
    )
    works[0]()
    for away in (redis.freeze, redis.stop):
        away()
        for work in works:
            began = time.monotonic()
            with pytest.raises(StoreAway):
                work()
            assert time.monotonic() - began < 3  # half a second, on a machine that is not busy
        if away == redis.freeze:
            redis.thaw()
    found.close()


def test_gateways_share_their_sessions(begin, shown, redis) -> None:  # noqa: F811 - the fixture
    """Who signs in at one is signed in at the other; without Redis nobody is."""
    gateway = begin(shown, GATEWAY_STATE=redis.url)
    alice = browse(gateway)
    assert alice.sign_in() == "/portal"
    other = gateway.service.snapshot(gateway.snapshot.bundle)
    assert other.identity.sessions is not gateway.snapshot.identity.sessions
    headers = {"cookie": f"__Host-gateway-session={alice.cookie()}"}
    assert other.identity.sessions.find(headers).caller.id == "jwt:login:alice"
    redis.stop()
    assert alice.me().json["error"]["code"] == "store_unavailable"
    assert alice.client.get("/portal/login").status_code == 503

"""Every store keeps what it is given, for its tenant and its time; none ever fails a request."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.cache.exact import Cached, ExactCache, unpacked
from ai_gateway.cache.memory import Bounded
from ai_gateway.cache.stores import MemoryStore, RedisStore, redis_store, unusable
from ai_gateway.clock import SystemClock
from tests.resilience.moving import MovingClock


@pytest.fixture(params=["memory", "redis"])
def store(request):
    """Each kind of store, on the machine's clock."""
    if request.param == "memory":
        yield MemoryStore(SystemClock())
    else:
        store = redis_store(request.getfixturevalue("redis_url"), SystemClock())
        yield store
        store.close()


def test_what_was_kept_is_found(store) -> None:
    """Bytes of any kind."""
    store.set("t", "k", b"\x00\xff answer", 60)
    assert store.get("t", "k") == b"\x00\xff answer"
    store.set("t", "k", b"newer", 60)
    assert store.get("t", "k") == b"newer"


def test_no_tenant_sees_anothers(store) -> None:
    """Under the same key, whatever the tenants are called."""
    store.set("one", "k", b"of one", 60)
    assert store.get("two", "k") is None
    assert store.get("one:k", "") is None
    store.set("two:*\r\n", "k", b"of two", 60)
    assert (store.get("one", "k"), store.get("two:*\r\n", "k")) == (b"of one", b"of two")


def test_time_runs_out(store) -> None:
    """After its seconds it is gone."""
    store.set("t", "short", b"answer", 0.05)
    time.sleep(0.1)
    assert store.get("t", "short") is None


def test_what_is_too_large_is_not_kept(store) -> None:
    """One answer never takes a share of the cache that others need."""
    store.set("t", "large", b"x" * 1_000_001, 60)
    assert store.get("t", "large") is None


def test_an_answer_goes_through_a_store(store) -> None:
    """With the model that gave it, to which request, when, and what it cost."""
    cache = ExactCache(store)
    assert cache.get("t", "nothing") is None
    answer = Cached("model-a", {"choices": [{"text": "Grüße"}]}, 1.5, "id", 0.25, simulated=True)
    cache.put("t", "answer", answer.packed(), 60)
    assert cache.get("t", "answer") == answer


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{}", b"[1, 2]", b'"model"', b"\xff"),
        b'{"model": "m", "body": [], "stored_at": 1.0}',
        b'{"model": "m", "body": {}, "stored_at": 1.0, "cost": "1"}',
        b'{"model": "m", "body": {}, "stored_at": 1.0, "of": "a later version"}',
    ],
)
def test_what_is_no_answer_is_a_miss(data) -> None:
    """A shared store may hold anything."""
    assert unpacked(data) is None


class Broken:
    """A client whose Redis is away."""

    def __init__(self) -> None:
        self.calls = 0

    def get(self, _name):
        self.calls += 1
        raise ConnectionError

    def set(self, _name, _value, *, px):
        self.calls += 1
        raise ConnectionError

    def close(self) -> None:
        """Nothing is open."""


def test_a_redis_that_is_away_is_a_miss_and_left_alone(caplog) -> None:
    """No request fails, and only the first few wait for it; later it is tried again."""
    clock, client = MovingClock(), Broken()
    store = RedisStore(client, (OSError,), clock)
    for _ in range(10):
        assert store.get("t", "k") is None
        store.set("t", "k", b"answer", 60)
    assert (client.calls, store.available) == (3, False)
    assert caplog.text.count("Redis fails (ConnectionError)") == 1
    clock.sleep(6)
    store.get("t", "k")
    assert client.calls == 4
    store.close()


@pytest.mark.parametrize(
    ("url", "package", "found"),
    [
        ("memory", "redis", "another address"),
        ("http://:secret@127.0.0.1", "redis", "another address"),
        ("redis://:secret@127.0.0.1", "no_such_package", "redis://... without the package redis"),
        ("rediss://:secret@127.0.0.1:port", "redis", "rediss://..., which cannot be read"),
    ],
)
def test_an_address_that_cannot_be_used_says_why(url, package, found) -> None:
    """Without showing the password that it may hold."""
    problem = unusable(url, package)
    assert problem[0] == found
    assert "secret" not in "".join(problem)
    assert unusable("redis://:secret@127.0.0.1:1/0") is None


def test_a_redis_that_is_not_there_costs_little(redis_url) -> None:
    """By a real client, to a port where nothing listens."""
    store = redis_store("redis://127.0.0.1:1/0", SystemClock())
    began = time.monotonic()
    for _ in range(20):
        assert store.get("t", "k") is None
    assert time.monotonic() - began < 2
    store.close()


def test_the_bytes_are_bounded() -> None:
    """Whatever is kept; the oldest goes first."""
    held = Bounded(MovingClock(), 10_000)
    for number in range(100):
        held.set("t", str(number), b"x" * 500, size=500, ttl=60)
        assert held.size <= 10_000
    assert held.get("t", "99") is not None
    assert held.get("t", "0") is None
    held.set("t", "huge", b"", size=10_001, ttl=60)
    assert held.get("t", "huge") is None


def test_one_tenant_does_not_drive_out_the_others() -> None:
    """Who holds most loses first."""
    held = Bounded(MovingClock(), 10_000)
    held.set("quiet", "k", b"kept", size=500, ttl=60)
    for number in range(100):
        held.set("loud", str(number), b"x", size=500, ttl=60)
    assert held.get("quiet", "k") == b"kept"


def test_what_was_used_stays_longest() -> None:
    """Within a group, the least recently used goes first."""
    held = Bounded(MovingClock(), 3000)
    for name in ("a", "b", "c"):
        held.set("t", name, name, size=500, ttl=60)
    held.get("t", "a")
    held.set("t", "d", "d", size=500, ttl=60)
    assert [held.get("t", name) for name in "abcd"] == ["a", None, "c", "d"]


def test_what_ran_out_makes_room_without_driving_out_anything() -> None:
    """Bytes of a group that nobody used since are found when they are needed."""
    clock = MovingClock()
    held = Bounded(clock, 3000)
    for name in ("a", "b"):
        held.set("gone", name, name, size=800, ttl=10)
    held.set("alive", "c", "c", size=100, ttl=1000)
    clock.sleep(11)
    assert held.values("gone") == []
    held.set("alive", "d", "d", size=1000, ttl=1000)
    assert held.values("alive") == ["c", "d"]
    assert held.size == 1902


def test_entries_are_bounded_too() -> None:
    """Where they are compared one by one."""
    held = Bounded(MovingClock(), 10_000_000)
    for number in range(5):
        held.set("t", str(number), number, size=1, ttl=60, entries=3)
    assert sorted(held.values("t")) == [2, 3, 4]
    assert held.values("nobody") == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from("xyz"),
            st.integers(0, 1500),
            st.sampled_from([1.0, 5.0]),
            st.sampled_from([0.0, 2.0]),
        ),
        max_size=50,
    )
)
def test_the_count_of_bytes_is_true(steps) -> None:
    """Over any order of keeping, replacing and running out."""
    clock = MovingClock()
    held = Bounded(clock, 4000)
    for group, name, size, ttl, pause in steps:
        held.set(group, name, size, size=size, ttl=ttl)
        assert held.get(group, name) in (size, None)
        assert held.size <= 4000
        alive = [value for group_ in "abc" for value in held.values(group_)]
        assert sum(value + 401 for value in alive) <= held.size
        clock.sleep(pause)


def test_many_threads_may_use_it_at_once() -> None:
    """Nothing is lost, mixed up or over the bound."""
    held, wrong = Bounded(SystemClock(), 50_000), []

    def work(number) -> None:
        for turn in range(300):
            name = f"{number}-{turn % 20}"
            held.set(f"tenant-{number}", name, name, size=100, ttl=60)
            found = held.get(f"tenant-{number}", name)
            if found not in (None, name):
                wrong.append(found)
            held.values(f"tenant-{number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert held.size <= 50_000

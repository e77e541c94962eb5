"""One reading for all who look."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from ai_gateway.clock import SystemClock
from ai_gateway.dashboard.shared import Shared
from tests.dashboard.rows import FakeClock


class Store:
    """Counts how often it is read."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def load(self, key: str) -> int:
        self.read.append(key)
        return len(self.read)


def test_a_second_viewer_costs_nothing_until_the_time_is_over() -> None:
    """A key is read once in its time, and again after it."""
    clock, store = FakeClock(), Store()
    shared = Shared(store.load, 5.0, clock)
    assert [shared.get("day"), shared.get("day")] == [1, 1]
    clock.time += 5.0
    assert shared.get("day") == 2


def test_keys_are_read_apart() -> None:
    """Another period is another reading."""
    store = Store()
    shared = Shared(store.load, 5.0, FakeClock())
    assert [shared.get("day"), shared.get("hour"), shared.get("day")] == [1, 2, 1]


def test_ten_viewers_at_once_cause_one_reading() -> None:
    """Those that come during a reading wait for it."""
    read, ready = [], Barrier(10)
    clock = SystemClock()

    def load(key: str) -> str:
        clock.sleep(0.05)
        read.append(key)
        return key

    shared = Shared[str, str](load, 5.0, clock)

    def view(_: int) -> str:
        ready.wait()
        return shared.get("day")

    with ThreadPoolExecutor(10) as pool:
        assert set(pool.map(view, range(10))) == {"day"}
    assert read == ["day"]


def test_a_slow_store_is_read_less_often() -> None:
    """A reading is kept four times as long as it took."""
    clock, read = FakeClock(), []

    def load(_: str) -> int:
        clock.time += 10.0
        read.append(1)
        return len(read)

    shared = Shared[str, int](load, 5.0, clock)
    shared.get("all")
    clock.time += 39.0
    assert shared.get("all") == 1
    clock.time += 1.0
    assert shared.get("all") == 2

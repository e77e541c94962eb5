"""A gate never lets more through than its limit, and nobody waits in vain."""

import threading
import time
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_gateway.clock import SystemClock
from ai_gateway.errors import CallerLeft
from ai_gateway.hosting.arrival import Arrival
from ai_gateway.resilience import Busy, Concurrency, Gate, Gates

CLOCK = SystemClock()


def soon(seconds: float = 5.0) -> float:
    """A deadline."""
    return CLOCK.monotonic() + seconds


def until(true) -> None:
    """Wait for it, at most two seconds."""
    end = soon(2)
    while not true():
        assert CLOCK.monotonic() < end
        time.sleep(0.001)


def test_over_the_queue_is_busy_at_once() -> None:
    """503 with a code of its own and when to come again; without waiting."""
    gate = Gate(Concurrency(limit=1, queue=0, wait=1.5), CLOCK)
    with closing(gate.enter(soon())), pytest.raises(Busy) as refused:
        gate.enter(soon())
    assert (refused.value.status, refused.value.code) == (503, "model_busy")
    assert refused.value.headers == {"retry-after": "2"}
    assert gate.busy == 0


@pytest.mark.parametrize(("wait", "deadline"), [(0.05, 5.0), (5.0, 0.05), (5.0, -1.0)])
def test_the_wait_ends_by_what_is_declared_and_by_the_deadline(wait, deadline) -> None:
    """Whichever comes first; who gave up leaves no trace."""
    gate = Gate(Concurrency(limit=1, queue=5, wait=wait), CLOCK)
    slot, started = gate.enter(soon()), CLOCK.monotonic()
    with pytest.raises(Busy):
        gate.enter(soon(deadline))
    assert CLOCK.monotonic() - started < 2
    assert (gate.busy, gate.queued) == (1, 0)
    slot.close()
    slot.close()
    assert gate.busy == 0


def test_first_come_first_served() -> None:
    """A place goes to who waited longest, and a newcomer does not overtake."""
    gate, order, threads = Gate(Concurrency(limit=1, wait=5), CLOCK), [], []
    slot = gate.enter(soon())

    def call(number) -> None:
        with closing(gate.enter(soon())):
            order.append(number)

    for number in range(5):
        threads.append(threading.Thread(target=call, args=(number,)))
        threads[-1].start()
        until(lambda number=number: gate.queued == number + 1)
    slot.close()
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


def test_a_caller_that_leaves_makes_room_in_the_queue() -> None:
    """It stops waiting at once; who stays is served."""
    gate, caller, outcomes = Gate(Concurrency(limit=1, wait=30), CLOCK), Arrival(), []
    slot = gate.enter(soon(30))

    def call() -> None:
        try:
            gate.enter(soon(30), caller)
        except CallerLeft as left:
            outcomes.append(left.status)

    thread = threading.Thread(target=call)
    thread.start()
    until(lambda: gate.queued == 1)
    caller.leave()
    thread.join(2)
    assert (outcomes, gate.queued, gate.busy) == ([499], 0, 1)
    slot.close()


def test_a_place_beside_keeps_nobody_out() -> None:
    """It is one that is free, and who enters later does not feel it."""
    gate = Gate(Concurrency(limit=2, queue=0), CLOCK)
    beside, own = gate.beside(), gate.enter(soon())
    with pytest.raises(Busy):
        gate.beside()
    other = gate.enter(soon())
    assert (gate.busy, gate.full) == (2, True)
    for slot in (beside, own, other, beside):
        slot.close()
    with closing(gate.beside()), closing(gate.beside()), pytest.raises(Busy):
        gate.beside()
    assert gate.busy == 0


def test_a_caller_that_stays_is_served() -> None:
    """The watch on its leaving changes nothing."""
    gate, caller = Gate(Concurrency(limit=1, wait=5), CLOCK), Arrival()
    slot = gate.enter(soon())
    threading.Timer(0.05, slot.close).start()
    gate.enter(soon(), caller).close()
    assert gate.busy == 0


class Breaking:
    """A caller whose host fails while it is asked for a callback."""

    def __init__(self, first) -> None:
        self.first = first

    def is_set(self) -> bool:
        return False

    def add_callback(self, _callback) -> None:
        self.first()
        raise KeyboardInterrupt


def test_an_interrupted_wait_loses_no_place() -> None:
    """Whether the place was handed over just before the interrupt or not."""
    gate = Gate(Concurrency(limit=1, wait=5), CLOCK)
    slot = gate.enter(soon())
    with pytest.raises(KeyboardInterrupt):
        gate.enter(soon(), Breaking(lambda: None))
    assert (gate.busy, gate.queued) == (1, 0)
    with pytest.raises(KeyboardInterrupt):
        gate.enter(soon(), Breaking(slot.close))
    assert (gate.busy, gate.queued) == (0, 0)


def test_gates_live_across_reloads() -> None:
    """A higher limit lets in who waits; a lower one waits for calls to end."""
    gates, entered = Gates(CLOCK), threading.Event()
    gate = gates.of("model-a", Concurrency(limit=1, wait=5))
    slot = gate.enter(soon())

    def call() -> None:
        with closing(gate.enter(soon())):
            entered.set()
            time.sleep(0.05)

    thread = threading.Thread(target=call)
    thread.start()
    until(lambda: gate.queued == 1)
    assert gates.of("model-a", Concurrency(limit=2, wait=5)) is gate
    assert entered.wait(2)
    gates.of("model-a", Concurrency(limit=1, queue=0))
    with pytest.raises(Busy):
        gate.enter(soon())
    thread.join()
    slot.close()
    gate.enter(soon()).close()


@settings(max_examples=15, deadline=None)
@given(
    limit=st.integers(1, 4),
    holds=st.lists(st.sampled_from([0.0, 0.0005, 0.002]), min_size=5, max_size=40),
    waits=st.lists(st.sampled_from([0.0005, 0.002, 5.0]), min_size=40, max_size=40),
    leaving=st.sets(st.integers(0, 39)),
)
def test_never_more_than_the_limit_and_no_wake_up_is_lost(limit, holds, waits, leaving) -> None:
    """Threads that come, hold, give up and leave at any time: all end, and the gate is empty."""
    gate = Gate(Concurrency(limit=limit, queue=1000, wait=20), CLOCK)
    inside, most, lock, served = 0, 0, threading.Lock(), []

    def call(number, hold, wait) -> None:
        nonlocal inside, most
        caller = Arrival()
        if number in leaving:
            threading.Timer(0.001, caller.leave).start()
        try:
            slot = gate.enter(soon(wait), caller)
        except (Busy, CallerLeft):
            return
        with closing(slot):
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(hold)
            with lock:
                inside -= 1
            served.append(number)

    threads = [
        threading.Thread(target=call, args=(number, hold, waits[number]))
        for number, hold in enumerate(holds)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert most <= limit
    patient = {n for n in range(len(holds)) if waits[n] == 5.0} - leaving
    assert patient <= set(served)
    assert (gate.busy, gate.queued) == (0, 0)

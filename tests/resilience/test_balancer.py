"""Calls go to the endpoint that is likely to answer first."""

from collections import Counter
from heapq import heappop, heappush
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.resilience import Balancer
from tests.resilience.moving import MovingClock

URLS = ("http://one/v1", "http://two/v1", "http://three/v1")


def test_the_least_busy_gets_the_next_call() -> None:
    """Calls spread evenly while all are in flight."""
    balancer = Balancer(MovingClock())
    leases = [balancer.pick(URLS) for _ in range(6)]
    assert balancer.flying() == dict.fromkeys(URLS, 2)
    for lease in leases:
        lease.end()
        lease.end()
    assert balancer.flying() == dict.fromkeys(URLS, 0)


def measured(balance, seconds) -> tuple[Balancer, MovingClock]:
    """One call at each endpoint, that took so long."""
    clock = MovingClock()
    balancer = Balancer(clock)
    for url, taken in zip(URLS, seconds, strict=True):
        lease = balancer.pick([url], balance)
        clock.sleep(taken)
        lease.end()
    return balancer, clock


def test_ties_go_to_the_faster() -> None:
    """Of three idle endpoints the fastest; of two idle ones the faster."""
    balancer, _ = measured("least-busy", (0.3, 0.1, 0.2))
    picked = [balancer.pick(URLS).url for _ in range(3)]
    assert picked == [URLS[1], URLS[2], URLS[0]]


def test_a_fast_endpoint_gets_more_calls_than_a_slow_one() -> None:
    """By latency, four in flight at 0.1 s weigh less than one at 1 s."""
    balancer, _ = measured("latency", (1.0, 0.1, 1.0))
    picked = [balancer.pick(URLS, "latency").url for _ in range(5)]
    assert picked == [URLS[1]] * 5


def test_an_unmeasured_endpoint_is_tried() -> None:
    """Nothing is known against it."""
    balancer, _ = measured("latency", (0.3, 0.1, 0.2))
    assert balancer.pick((*URLS, "http://four/v1"), "latency").url == "http://four/v1"


def test_a_slow_endpoint_is_tried_again_in_time() -> None:
    """What was learnt sinks: within a minute the slow one is as good as unknown."""
    balancer, clock = measured("latency", (0.3, 5.0, 0.2))
    assert balancer.pick(URLS, "latency").url != URLS[1]
    clock.sleep(60)
    for url in (URLS[0], URLS[2]):
        lease = balancer.pick([url], "latency")
        clock.sleep(0.2)
        lease.end()
    assert balancer.pick(URLS, "latency").url == URLS[1]


def test_an_endpoint_that_fails_fast_does_not_draw_all_calls() -> None:
    """It is never busy and never slow, and still gets less; it is tried again in time."""
    for balance in ("least-busy", "latency"):
        clock = MovingClock()
        balancer = Balancer(clock)
        good, bad = URLS[:2]
        counts = {good: 0, bad: 0}
        for _ in range(50):
            lease = balancer.pick((good, bad), balance)
            counts[lease.url] += 1
            clock.sleep(0.05)
            lease.end(failed=lease.url == bad)
        assert counts[bad] <= 5
        clock.sleep(120)
        assert balancer.pick((good, bad), balance)


def test_an_outcome_that_says_nothing_changes_nothing() -> None:
    """A request that was refused is no latency and no failure."""
    balancer, clock = measured("least-busy", (0.3, 0.1, 0.2))
    lease = balancer.pick([URLS[1]])
    clock.sleep(3)
    lease.end(failed=None)
    assert balancer.pick(URLS).url == URLS[1]


def test_a_streams_latency_is_that_of_its_first_event() -> None:
    """However long it goes on, and however late it is told again."""
    balancer, clock = measured("least-busy", (0.3, 0.2, 0.3))
    lease = balancer.pick([URLS[0]])
    clock.sleep(0.1)
    lease.answered()
    clock.sleep(60)
    lease.end()
    lease.answered()
    picked = [balancer.pick(URLS).url for _ in range(3)]
    assert picked == [URLS[1], URLS[0], URLS[2]]  # 0.3 s, of which 0.1 s have taken away a little


def test_a_reload_forgets_what_it_left_out() -> None:
    """But not while a call is in flight there."""
    balancer = Balancer(MovingClock())
    lease, _ = balancer.pick([URLS[0]]), balancer.pick([URLS[1]]).end()
    balancer.keep([URLS[2]])
    assert balancer.flying() == {URLS[0]: 1}
    lease.end()
    balancer.keep([])
    assert balancer.flying() == {}


BOTH = pytest.mark.parametrize("balance", ["least-busy", "latency"])


def traffic(balancer, balance, takes, every, patience=inf, *, calls=100) -> Counter:
    """How many calls each endpoint got, of those that come ``every`` so many seconds.

    An answer takes the seconds in ``takes``; callers leave after ``patience``.
    """
    clock, got, flying = balancer._clock, Counter(), []
    began = clock.at
    for number in range(calls):
        arrives = began + number * every
        while flying and flying[0][0] <= arrives:
            clock.at, _, lease = heappop(flying)
            left = takes[lease.url] > patience
            lease.end(failed=None if left else False, left=left)
        clock.at = arrives
        lease = balancer.pick(tuple(takes), balance)
        got[lease.url] += 1
        heappush(flying, (arrives + min(takes[lease.url], patience), number, lease))
    return got


HUNG, WELL = URLS[:2]


@BOTH
@pytest.mark.parametrize(("every", "patience"), [(0.1, 8.0), (1.01, 1.0), (0.05, 1.0), (1.0, 0.5)])
def test_an_endpoint_that_answers_nobody_loses_its_traffic(balance, every, patience) -> None:
    """After a call or two, whether its callers still wait or have left one after another."""
    balancer = Balancer(MovingClock())
    takes = {HUNG: inf, WELL: 0.05}
    assert traffic(balancer, balance, takes, every, patience, calls=10)[HUNG] <= 2


@BOTH
@given(st.floats(0.01, 2), st.floats(0.1, 30), st.floats(0.1, 0.9))
def test_a_hung_endpoint_has_few_calls_whatever_the_traffic(
    balance, every, patience, share
) -> None:
    """As many at first as the other one has in flight; then one at a time, now and then."""
    well = patience * share
    balancer = Balancer(MovingClock())
    got = traffic(balancer, balance, {HUNG: inf, WELL: well}, every, patience, calls=300)
    assert got[HUNG] <= 2 + well / every + 300 * every / 10


def test_a_slow_endpoint_gets_no_more_calls_before_its_first_answer() -> None:
    """Of 3 s and 0.1 s, at 20 calls a second from the start, the slow one gets two at most."""
    balancer = Balancer(MovingClock())
    got = traffic(balancer, "latency", {HUNG: 3.0, WELL: 0.1}, 0.05, calls=40)
    assert got[HUNG] <= 2


@BOTH
def test_an_endpoint_that_stops_to_answer_loses_its_traffic(balance) -> None:
    """What it took before counts for nothing while a call waits there, nor when its caller left."""
    balancer = Balancer(MovingClock())
    traffic(balancer, balance, {HUNG: 0.1, WELL: 0.1}, 0.2, calls=20)
    assert traffic(balancer, balance, {HUNG: inf, WELL: 0.1}, 0.2, 5.0, calls=150)[HUNG] <= 3


def test_an_endpoint_that_streams_is_measured_by_its_first_event() -> None:
    """Before its first stream is over, too: it does not count as one that takes no time."""
    clock = MovingClock()
    balancer = Balancer(clock)
    for url in URLS[:2]:
        lease = balancer.pick([url], "latency")
        clock.sleep(0.1 if url == URLS[0] else 0.2)
        lease.answered()
    picked = Counter(balancer.pick(URLS[:2], "latency").url for _ in range(6))
    assert picked == {URLS[0]: 4, URLS[1]: 2}


def test_a_stream_that_breaks_counts_against_its_endpoint() -> None:
    """However fast its first event was."""
    balancer, clock = measured("least-busy", (0.3, 0.1, 0.2))
    lease = balancer.pick([URLS[1]])
    clock.sleep(0.1)
    lease.answered()
    lease.end(failed=True)
    assert [balancer.pick(URLS).url for _ in range(2)] == [URLS[2], URLS[0]]


def test_one_caller_who_leaves_shuns_no_endpoint_that_answers_others() -> None:
    """Who has no patience says nothing of an endpoint that has answered since he came."""
    balancer, clock = measured("least-busy", (0.3, 0.1, 0.2))
    hasty, other = balancer.pick([URLS[1]]), balancer.pick([URLS[1]])
    clock.sleep(0.05)
    other.end()
    hasty.end(failed=None, left=True)
    assert balancer.pick(URLS).url == URLS[1]


def test_who_leaves_sooner_than_an_endpoint_answers_says_nothing_of_it() -> None:
    """However long ago it answered: it still gets its share."""
    balancer, clock = measured("least-busy", (2.0, 2.0, 2.0))
    clock.sleep(60)
    hasty = balancer.pick([URLS[0]])
    clock.sleep(0.05)
    hasty.end(failed=None, left=True)
    assert {balancer.pick(URLS).url for _ in range(3)} == set(URLS)


def test_of_equals_the_one_unused_longest_is_picked() -> None:
    """Where nothing is learnt the same one is not picked again and again."""
    for balance in ("least-busy", "latency"):
        balancer, picked = Balancer(MovingClock()), []
        for _ in range(6):
            lease = balancer.pick(URLS, balance)
            lease.end(failed=None)
            picked.append(lease.url)
        assert picked == [*URLS, *URLS]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["end", "fail", "drop"])), max_size=60)
)
def test_what_is_in_flight_is_counted_exactly(steps) -> None:
    """Whatever the order and outcome of calls."""
    balancer, flying = Balancer(MovingClock()), []
    for number, outcome in steps:
        flying.append(balancer.pick(URLS[: number + 1], "latency" if number else "least-busy"))
        if outcome != "drop":
            flying.pop(0).end(failed=outcome == "fail")
    assert sum(balancer.flying().values()) == len(flying)

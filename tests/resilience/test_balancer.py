"""Calls go to the endpoint that is likely to answer first."""

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
    """A caller's leaving is no latency and no failure."""
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
    assert picked[-1] == URLS[0]  # 0.3 s a minute ago weigh less than 0.1 s now


def test_a_reload_forgets_what_it_left_out() -> None:
    """But not while a call is in flight there."""
    balancer = Balancer(MovingClock())
    lease, _ = balancer.pick([URLS[0]]), balancer.pick([URLS[1]]).end()
    balancer.keep([URLS[2]])
    assert balancer.flying() == {URLS[0]: 1}
    lease.end()
    balancer.keep([])
    assert balancer.flying() == {}


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

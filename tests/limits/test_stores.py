"""Both stores take everything or nothing, and agree with each other and with a naive one."""

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from ai_gateway.limits import windows
from ai_gateway.limits.memory import MemoryStore
from ai_gateway.limits.redis import Settlement
from ai_gateway.limits.store import Counter, Spent
from tests.limits.conftest import Clock
from tests.limits.stores import ALL, BUDGETS, RATES, Naive, calendar, connected, held, loaded, plain


class Steps(RuleBasedStateMachine):
    """Calls that reserve, settle and wait, on the memory store and on a naive one."""

    @initialize(start=st.integers(1_704_067_200, 1_956_528_000))  # 2024 to 2031
    def begin(self, start) -> None:
        self.clock = Clock(float(start))
        self.naive = Naive(self.clock)
        self.store = loaded(MemoryStore(self.clock))
        self.open = []

    @rule(
        picked=st.lists(st.sampled_from(ALL), min_size=1, max_size=4, unique=True),
        amounts=st.lists(st.integers(0, 600), min_size=4, max_size=4),
    )
    def reserve(self, picked, amounts) -> None:
        amounts = amounts[: len(picked)]
        wanted, got = self.naive.reserve(picked, amounts), self.store.reserve(picked, amounts)
        assert plain(got) == plain(wanted)
        if got.refused is None:
            self.open.append((picked, amounts, got))

    @rule(which=st.integers(0, 100), share=st.floats(0, 1.5))
    def settle(self, which, share) -> None:
        if not self.open:
            return
        picked, amounts, outcome = self.open.pop(which % len(self.open))
        came = held(picked, amounts, outcome, [int(amount * share) for amount in amounts])
        self.naive.settle(came)
        self.store.settle(came)

    @rule(seconds=st.sampled_from([0, 1, 30, 59, 60, 61, 3600, 86_400, 31 * 86_400]))
    def wait(self, seconds) -> None:
        self.clock.sleep(seconds)


Steps.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_memory_agrees_with_a_naive_store = Steps.TestCase


@pytest.mark.parametrize("seed", range(8))
def test_memory_and_redis_give_the_same_answers(redis, seed) -> None:
    """The same calls at the same times have the same outcome, count by count."""
    chance = random.Random(seed)
    clock = Clock()
    clock.sleep(chance.randrange(400 * 86_400))
    memory, shared = loaded(MemoryStore(clock)), loaded(connected(redis.url, clock=clock))
    calls = []
    for _ in range(150):
        if calls and chance.random() < 0.3:
            picked, amounts, mine, its = calls.pop(chance.randrange(len(calls)))
            used = [chance.randrange(amount + 1) for amount in amounts]
            memory.settle(held(picked, amounts, mine, used))
            shared.settle(held(picked, amounts, its, used))
            shared.flush()
        picked = chance.sample(ALL, chance.randrange(1, 4))
        amounts = [chance.randrange(counter.cap) // 3 + 1 for counter in picked]
        mine, its = memory.reserve(picked, amounts), shared.reserve(picked, amounts)
        assert plain(its) == plain(mine)
        if mine.refused is None:
            calls.append((picked, amounts, mine, its))
        clock.sleep(chance.choice([0, 0, 1, 20, 60, 3000, 43_200, 86_400 * 12]))
    shared.close()


def test_windows_end_with_the_calendar_in_redis_too(redis) -> None:
    """Days and months of leap years, of 2000 and of 2100, at their first and last second."""
    clock = Clock()
    store = connected(redis.url, clock=clock)
    for start in (0, 951_782_400, 1_709_164_800, 1_798_675_200, 4_107_456_000):
        for offset in range(0, 800 * 86_400, 11 * 86_400 - 1):
            clock.time = start + offset
            for window in ("day", "month"):
                end = calendar(window, clock.now())
                assert windows.end(window, clock.now()) == end
                assert windows.start(window, end - 1) <= clock.now() < end
                key = f"cost:{window}:{start}:{offset}"
                assert store.load(key, window, end, {})
                assert not store.load(f"{key} late", window, end - 86_400, {})
    store.close()


@pytest.fixture(params=["memory", "redis"])
def store(request, clock):
    """Each store, with its budgets known; what it tells of them is in ``told``."""
    told = []
    if request.param == "memory":
        found = loaded(MemoryStore(clock, told.append))
        found.flush = lambda: None
    else:
        url = request.getfixturevalue("redis").url
        found = loaded(connected(url, told.append, clock))
    found.told = told
    yield found
    found.close()


def test_nothing_is_taken_where_anything_refuses(store) -> None:
    """A call that one counter refuses leaves the others as they were."""
    full, free = RATES[0], RATES[2]
    assert store.reserve([full], [5]).refused is None
    assert store.reserve([free, full, BUDGETS[0]], [10, 1, 10]).refused == 1
    states = store.reserve([free, BUDGETS[0]], [0, 0]).states
    assert [state.taken for state in states] == [0, 0]


def test_the_longest_wait_is_told(store) -> None:
    """Who waits for it passes the others as well."""
    store.reserve([RATES[0], BUDGETS[1]], [5, 5000])
    refused = store.reserve([RATES[0], BUDGETS[1]], [1, 1])
    assert refused.refused == 1
    assert refused.states[1].wait > refused.states[0].wait


def test_what_was_not_used_is_given_back_in_its_own_window(store, clock) -> None:
    """And in no other: a later window has what is its own."""
    first = store.reserve([RATES[2]], [90])
    store.settle(held([RATES[2]], [90], first, [10]))
    store.flush()
    assert store.reserve([RATES[2]], [90]).refused is None
    clock.sleep(3600)
    late = store.reserve([RATES[2]], [50])
    store.settle(held([RATES[2]], [90], first, [0]))
    store.flush()
    assert store.reserve([RATES[2]], [0]).states[0].taken == late.states[0].taken == 50


def test_more_than_was_reserved_counts_too(store) -> None:
    """A budget that was overshot lets nothing through."""
    outcome = store.reserve([BUDGETS[0]], [10])
    store.settle(held([BUDGETS[0]], [10], outcome, [1200]))
    store.flush()
    assert store.reserve([BUDGETS[0]], [1]).refused == 0
    assert store.told == [Spent(BUDGETS[0], 1200, outcome.states[0].end)]


def test_a_budget_that_nobody_counted_is_closed(store) -> None:
    """Its spend is unknown until it is loaded, and is loaded once."""
    fresh = Counter("cost:new", "x", "day", 100)
    assert store.reserve([RATES[0], fresh], [1, 1]).lost == ("cost:new",)
    end = calendar("day", store.now())
    assert not store.load("cost:new", "day", end + 86_400, {"x": 40})
    assert store.load("cost:new", "day", end, {"x": 40})
    assert store.load("cost:new", "day", end, {"x": 40})
    assert store.reserve([fresh], [61]).refused == 0
    assert store.reserve([fresh], [60]).states[0].taken == 100
    assert store.reserve([RATES[0]], [0]).states[0].taken == 0
    store.forget("cost:new")
    assert store.reserve([fresh], [1]).lost == ("cost:new",)


def test_a_new_day_begins_at_nothing(store, clock) -> None:
    """Its budget is known, since the counts lived through the night."""
    store.reserve([BUDGETS[0]], [1000])
    assert store.reserve([BUDGETS[0]], [1]).refused == 0
    clock.time = calendar("day", clock.time)
    assert store.reserve([BUDGETS[0]], [1000]).refused is None


def test_the_bound_gives_no_quota_back(clock) -> None:
    """Who was driven out finds at least as much taken as he left; newcomers wait with him."""
    store = MemoryStore(clock, bound=10)
    mine = Counter("requests:a", "mine", 60, 5)
    store.reserve([mine], [5])
    for number in range(50):
        store.reserve([Counter("requests:b", str(number), 60, 5)], [1])
    assert store.reserve([mine], [1]).refused == 0
    assert store.reserve([Counter("requests:a", "new", 60, 5)], [1]).refused == 0
    clock.sleep(60)
    assert store.reserve([mine], [5]).refused is None


def test_what_is_over_goes_first(clock) -> None:
    """A counter whose window has ended costs nobody a thing."""
    store = MemoryStore(clock, bound=3)
    long, short = Counter("requests:a", "x", 3600, 5), Counter("requests:b", "x", 1, 5)
    store.reserve([long], [5])
    store.reserve([short], [1])
    clock.sleep(2)
    for number in range(2):
        store.reserve([Counter("requests:c", str(number), 60, 5)], [1])
    assert store.reserve([long], [0]).states[0].taken == 5
    assert store.reserve([Counter("requests:a", "y", 3600, 5)], [1]).refused is None


def test_what_was_driven_out_is_settled_by_nobody(clock) -> None:
    """It stays taken, as the floor of its rule."""
    store = MemoryStore(clock, bound=1)
    outcome = store.reserve([RATES[2]], [90])
    store.reserve([RATES[0]], [1])
    store.settle(held([RATES[2]], [90], outcome, [0]))
    assert store.reserve([RATES[2]], [11]).refused == 0


def test_a_settlement_that_is_sent_twice_counts_once(redis, clock) -> None:
    """So it can be sent again where nobody knows whether it arrived."""
    store = loaded(connected(redis.url, clock=clock))
    outcome = store.reserve([BUDGETS[0]], [100])
    store.settle(held([BUDGETS[0]], [100], outcome, [30]))
    store.flush()
    again = Settlement("a-mark", held([BUDGETS[0]], [100], outcome, [100]))
    store.send(again)
    store.send(again)
    assert store.reserve([BUDGETS[0]], [0]).states[0].taken == 30
    store.close()


def test_what_was_reserved_in_a_lost_life_counts_in_full(redis, clock) -> None:
    """Nothing of it is in the counts that were begun anew, so all that was used is added."""
    store = loaded(connected(redis.url, clock=clock))
    outcome = store.reserve([BUDGETS[0]], [100])
    redis.stop()
    redis.start()
    store.settle(held([BUDGETS[0]], [100], outcome, [30]))
    store.flush()
    assert store.reserve([BUDGETS[0]], [1]).lost == (BUDGETS[0].rule,)
    loaded(store, BUDGETS[:1])
    assert store.reserve([BUDGETS[0]], [0]).states[0].taken == 30
    store.settle(held([BUDGETS[0]], [100], outcome, [40]))
    store.flush()
    assert store.reserve([BUDGETS[0]], [0]).states[0].taken == 70
    store.close()

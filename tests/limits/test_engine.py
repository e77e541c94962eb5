"""What is done when counts are away, lost, or no longer wanted."""

import time
from random import Random

import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.errors import LimitsUnavailable
from ai_gateway.limits.declared import Allowance
from ai_gateway.limits.engine import MEMORY, Limits, Refused
from ai_gateway.limits.memory import MemoryStore
from ai_gateway.limits.plan import BILLION, Who, entries, rules
from ai_gateway.limits.redis import redis_store
from ai_gateway.limits.spending import Spending
from ai_gateway.limits.store import Away, Counter, Spent
from ai_gateway.manifest.model import Manifest
from ai_gateway.metrics import Metrics
from ai_gateway.records import Records
from tests.limits.stores import connected, held, loaded

ME = Who("default", "ml", "me")
MANIFEST = Manifest.model_validate(
    {
        "limits": [{"per": "key", "requests": "2/min"}],
        "budgets": [
            {"name": "b", "per": "key", "amount": 1, "window": "day", "soft": 0.5},
            {"name": "of-team", "per": ["team", "route"], "amount": 5, "window": "month"},
        ],
    }
)
RULES = rules(MANIFEST)
MEET = [entry for rule in RULES for entry in entries(rule, ME, ["chat"], ["m"])]


class Elsewhere(MemoryStore):
    """A store that can be away."""

    away = False

    def reserve(self, counters, amounts):
        if self.away:
            raise Away
        return super().reserve(counters, amounts)

    def forget(self, rule) -> None:
        if self.away:
            raise Away
        super().forget(rule)

    def now(self):
        if self.away:
            raise Away
        return super().now()


@pytest.fixture
def records(tmp_path, clock):
    """Empty ones."""
    with Records.open(str(tmp_path / "data"), tmp_path / "wal", clock, background=False) as found:
        yield found


@pytest.fixture
def store(clock):
    """One that can be away."""
    return Elsewhere(clock)


@pytest.fixture
def limits(store, clock, records):
    """The engine on it."""
    found = Limits(store, Spending(clock), clock, records, Metrics(), patience=10.0)
    found.adopt(RULES, ["cheap"])
    yield found
    found.close()


def spend(records, clock, amount, /, **more) -> None:
    """A row of what was spent a minute ago."""
    row = {
        "request_id": f"{Random().random()}",
        "received_at": int((clock.time - 60) * 1e6),
        "tenant": "default",
        "team": "ml",
        "key_id": "me",
        "route": "chat",
        "served": "m",
        "surface": "chat",
        "cost": amount,
        **more,
    }
    records.append("requests", row)


def taken(limits, amounts=(1, 0, 0)):
    """What each counter has taken, after these amounts."""
    reserved = limits.take(MEET, amounts, "closed")
    return [state.taken for state in reserved.states]


def test_counts_that_are_away_let_nothing_through(limits, store) -> None:
    """Closed is the default: a 503 that says when to come again, and is counted."""
    store.away = True
    with pytest.raises(LimitsUnavailable) as refused:
        limits.take(MEET, [1, 1, 1], "closed")
    assert (refused.value.status, refused.value.headers) == (503, {"retry-after": "1"})


def test_an_allowance_is_bounded(limits, store) -> None:
    """So many pass while the counts are away; they are new once the counts were there again."""
    taken(limits, (0, 0, 0))
    for _ in range(2):
        store.away = True
        for _ in range(3):
            limits.take(MEET, [1, 1, 1], Allowance(allowance=3))
        with pytest.raises(LimitsUnavailable):
            limits.take(MEET, [1, 1, 1], Allowance(allowance=3))
        store.away = False
        limits.take(MEET, [0, 0, 0], "closed")


def test_what_an_allowance_let_through_is_paid_in_the_end(redis, clock, records) -> None:
    """Its money is added to the budget once Redis is there again; its rates began anew."""
    shared = connected(redis.url, clock=clock)
    limits = Limits(shared, Spending(clock), clock, records, Metrics())
    for rule in RULES[1:]:
        loaded(shared, [Counter(rule.key, "", rule.window, 1)])
    redis.stop()
    reserved = limits.take(MEET, [1, 500, 500], Allowance(allowance=1))
    redis.start()
    for rule in RULES[1:]:
        loaded(shared, [Counter(rule.key, "", rule.window, 1)])
    limits.settle(reserved, [1, 300, 300])
    shared.flush()
    assert taken(limits, (0, 0, 0)) == [0, 300, 300]
    limits.close()


def test_a_redis_that_does_not_answer_is_not_waited_for(redis, clock, records) -> None:
    """A refusal comes within the stated time, and at once when it has failed three times."""
    limits = Limits.of(redis.url, SystemClock(), records, Metrics())
    only = [entry for entry in MEET if not entry.rule.budget]
    limits.take(only, [1], "closed")
    redis.freeze()
    waits = []
    for _ in range(5):
        began = time.monotonic()
        with pytest.raises(LimitsUnavailable):
            limits.take(only, [1], "closed")
        waits.append(time.monotonic() - began)
    redis.thaw()
    assert max(waits) < 2
    assert waits[-1] < 0.1
    limits.close()


def test_lost_budgets_are_counted_from_the_records(limits, records, clock) -> None:
    """By each one's parts, of its own window; what judge and guards spent is nobody's."""
    clock.time = clock.time // 86_400 * 86_400 + 86_000
    for cost in (0.25, 0.125):
        spend(records, clock, cost)
    spend(records, clock, 0.5, key_id="you")
    spend(records, clock, 0.5, surface="judge")
    spend(records, clock, 0.5, surface="guard")
    spend(records, clock, 0.5, cost=None)
    spend(records, clock, 0.5, served=None)
    spend(records, clock, 9.0, received_at=int((clock.time - 40 * 86_400) * 1e6))
    spend(records, clock, 0.0625, route="other")
    spend(records, clock, 0.03125, route="other", model_requested="chat")
    limits.adopt(RULES, ["chat"])
    mine = round((0.25 + 0.125 + 0.0625 + 0.03125) * BILLION)
    team = round((0.25 + 0.125 + 0.5 + 0.03125) * BILLION)
    assert taken(limits) == [1, mine, team]


def test_a_call_waits_a_moment_for_the_count(limits, records, clock) -> None:
    """It is refused only when that takes too long."""
    limits.prepare()
    spend(records, clock, 0.25)
    assert taken(limits)[0] == 1


class Unreadable:
    """Records of a store that is away at first."""

    def __init__(self, records) -> None:
        self._records, self.failing = records, True

    def flush(self) -> None:
        if self.failing:
            raise OSError("a store that is away")
        self._records.flush()

    def scan(self, *arguments):
        return self._records.scan(*arguments)


def test_budgets_stay_closed_while_records_cannot_be_read(store, records, clock, caplog) -> None:
    """And open once they can, without anybody's doing."""
    away = Unreadable(records)
    limits = Limits(store, Spending(clock), clock, away, Metrics(), patience=0.1)
    limits.adopt(RULES, [])
    with pytest.raises(LimitsUnavailable, match="being counted"):
        limits.take(MEET, [1, 1, 1], "closed")
    assert "a store that is away" in caplog.text
    away.failing = False
    time.sleep(1.2)
    assert taken(limits) == [1, 0, 0]
    limits.close()


def test_a_count_is_begun_again_where_its_window_ends_meanwhile(limits, store, clock) -> None:
    """Or where the counts are away again; until then budgets are closed."""

    class Slow(Unreadable):
        def scan(self, *arguments):
            clock.time = clock.time // 86_400 * 86_400 + 86_400 if self.failing else clock.time
            self.failing = False
            return super().scan(*arguments)

        def flush(self) -> None:
            store.away = False

    limits._rebuild._records = Slow(limits._rebuild._records)
    store.lag, store.away = 0.01, True
    limits.prepare()
    end = time.monotonic() + 5
    while not limits._rebuild._done.is_set() and time.monotonic() < end:
        time.sleep(0.01)
    assert taken(limits) == [1, 0, 0]


def test_a_budget_that_is_lost_while_another_is_counted_is_counted_next(limits, clock) -> None:
    """One thread counts, however many are lost, and it ends when all is known."""

    class Asked(Unreadable):
        def scan(self, *arguments):
            first, self.failing = self.failing, False
            if first:
                limits._rebuild.begin(RULES[1:])
            return super().scan(*arguments)

        def flush(self) -> None:
            self._records.flush()

    limits._rebuild._records = Asked(limits._rebuild._records)
    limits._rebuild.begin(RULES[1:2])
    assert taken(limits) == [1, 0, 0]


def test_a_count_that_is_not_wanted_any_more_ends(store, records, clock) -> None:
    """A process that stops does not go on counting."""
    store.away = True
    limits = Limits(store, Spending(clock), clock, records, Metrics(), patience=0.1)
    limits.adopt(RULES, [])
    limits.prepare()
    limits.close()
    assert not limits._rebuild._done.wait(0.1)


def test_a_budget_that_was_left_out_is_counted_again(limits, store, clock, records, caplog) -> None:
    """What was spent while nobody counted is in the records; in the counts it is not."""
    taken(limits, (1, 500, 500))
    limits.adopt(RULES[:1], [])
    spend(records, clock, 0.25)
    limits.adopt(RULES, [])
    assert taken(limits, (0, 0, 0)) == [1, 250_000_000, 250_000_000]
    store.away = True
    limits.adopt(RULES[:1], [])
    assert "still in Redis" in caplog.text


def test_refusals_say_what_and_when(limits, clock) -> None:
    """Of each kind a message that a person understands, without what others have spent."""
    limits.prepare()
    time.sleep(0.1)
    with pytest.raises(Refused, match="The budget b is used up until") as refused:
        limits.take(MEET, [1, BILLION + 1, 0], "closed")
    assert refused.value.error.headers["x-should-retry"] == "false"
    limits.take(MEET, [2, 0, 0], "closed")
    with pytest.raises(Refused, match="2 requests in 60 s are allowed here by the limit key"):
        limits.take(MEET, [1, 0, 0], "closed")


def test_a_warning_is_given_once_a_window_and_part(clock, caplog) -> None:
    """The ratio is that of the part that spent most, and of no window but this."""
    spending, metrics = Spending(clock), Metrics()
    metrics.registry.register(spending)
    rule = RULES[1]
    spending.adopt([rule])

    def spent(amount, part, end):
        spending(Spent(Counter(rule.key, part, "day", rule.cap, f"key {part}"), amount, end))
        sample = metrics.registry.get_sample_value
        return sample("ai_gateway_budget_used_ratio", {"budget": "b"})

    today, tomorrow = clock.time + 10, clock.time + 20
    assert spent(BILLION // 4, "x", today) == 0.25
    assert spent(BILLION // 2, "x", today) == 0.5
    assert spent(BILLION // 2, "y", today) == 0.5
    assert spent(BILLION * 3 // 4, "x", today) == 0.75
    assert spent(BILLION // 10, "y", today) == 0.75
    assert caplog.text.count("is spent") == 2
    assert spent(BILLION // 2, "x", tomorrow) == 0.5
    assert caplog.text.count("budget b: 0.5 of 1 is spent (50 %) by key x") == 2
    clock.sleep(30)
    assert metrics.registry.get_sample_value("ai_gateway_budget_used_ratio", {"budget": "b"}) == 0
    spending.adopt([])
    spending(Spent(Counter(rule.key, "x", "day", 1), 1, tomorrow))
    sample = metrics.registry.get_sample_value
    assert sample("ai_gateway_budget_used_ratio", {"budget": "b"}) is None


def test_a_store_is_made_by_its_address(redis, records, clock) -> None:
    """In memory, or in a Redis whose time is its own."""
    Limits.of(MEMORY, clock, records, Metrics()).close()
    store = redis_store(redis.url, lambda _: None)
    assert abs(store.now() - time.time()) < 5
    outcome = store.reserve([MEET[0].counter], [1])
    assert 59 < outcome.states[0].wait <= 60
    store.settle(held([MEET[0].counter], [1], outcome, [0]))
    store.flush()
    assert store.reserve([MEET[0].counter], [0]).states[0].taken == 0
    store.close()


def test_settlements_wait_for_a_redis_that_is_away(redis, clock) -> None:
    """They are sent once it is back; a process that stops gives up."""
    store = loaded(connected(redis.url))
    counter = MEET[0].counter
    outcome = store.reserve([counter], [2])
    redis.freeze()
    store.settle(held([counter], [2], outcome, [0]))
    time.sleep(0.7)
    redis.thaw()
    store.flush(5)
    assert store.reserve([counter], [0]).states[0].taken == 0
    redis.stop()
    store.settle(held([counter], [2], outcome, [0]))
    store.close()


def test_too_many_settlements_stay_reserved(redis, caplog) -> None:
    """What cannot be remembered is not given back."""
    store = connected(redis.url)
    redis.stop()
    store._queue.maxsize = 1
    for _ in range(4):
        store.settle(())
    assert "stays reserved" in caplog.text
    store.flush(0.0)
    store._stop.set()
    store.close()

"""What tests of the stores share: counters, a naive store, and how a real one is made."""

from datetime import datetime, timedelta, timezone

import redis as client

from ai_gateway.limits.memory import MemoryStore
from ai_gateway.limits.redis import RedisStore
from ai_gateway.limits.store import Counter, Held, Outcome, State

RATES = [Counter("requests:a", "x", 60, 5), Counter("requests:a", "y", 60, 5)]
RATES += [Counter("tokens:b", "x", 3600, 100)]
BUDGETS = [Counter("cost:day", "x", "day", 1000), Counter("cost:month", "x", "month", 5000)]
BUDGETS += [Counter("cost:month", "y", "month", 5000)]
ALL = [*RATES, *BUDGETS]


def loaded(store, counters=BUDGETS):
    """``store``, whose budgets are known and unspent."""
    for counter in counters:
        assert store.load(counter.rule, counter.window, calendar(counter.window, store.now()), {})
    return store


def calendar(window, now):
    """The end of the day or month, by going on until it is another."""
    day = datetime.fromtimestamp(now, timezone.utc).replace(hour=0, minute=0, second=0)
    begin = day = day.replace(microsecond=0)
    while True:
        day += timedelta(days=1)
        if window == "day" or day.month != begin.month:
            return day.timestamp()


class Naive:
    """A store that is plainly right: every count with its window's end, nothing ever dropped."""

    def __init__(self, clock) -> None:
        self.clock = clock
        self.counts: dict[tuple[str, str], list[float]] = {}

    def count(self, counter):
        now = self.clock.now()
        known = self.counts.get(counter[:2])
        if known and known[0] > now:
            return known
        rate = isinstance(counter.window, int)
        return [now + counter.window if rate else calendar(counter.window, now), 0]

    def reserve(self, counters, amounts):
        now, found = self.clock.now(), [self.count(counter) for counter in counters]
        refusing = [
            (-count[0], index)
            for index, count in enumerate(found)
            if count[1] + amounts[index] > counters[index].cap
        ]
        if not refusing:
            for counter, count, amount in zip(counters, found, amounts, strict=True):
                count[1] += amount
                self.counts[counter[:2]] = count
        states = [State(taken, end, end - now) for end, taken in found]
        return Outcome(min(refusing)[1] if refusing else None, states)

    def settle(self, held) -> None:
        for counter, state, reserved, used in held:
            count = self.counts.get(counter[:2])
            if count and count[0] == state.end:
                count[1] += used - reserved


def held(counters, amounts, outcome, used):
    """What a call holds, and what it came to."""
    return [Held(*each) for each in zip(counters, outcome.states, amounts, used, strict=True)]


def plain(outcome):
    """An outcome without what differs from one life of a store to another."""
    states = [(state.taken, state.end, state.wait) for state in outcome.states]
    return outcome.refused, states, outcome.lost


def connected(url, told=lambda _: None, clock=None):
    """A RedisStore that fails at once."""
    options = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5}
    connection = client.Redis.from_url(url, **options)
    return RedisStore(connection, (client.RedisError, OSError), told, clock)


def memory(clock, **more):
    """A MemoryStore on a clock that a test moves."""
    return MemoryStore(clock, **more)

"""Counts in this process's memory: one lock, a dictionary, and a bound that gives nothing back."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from threading import Lock
from typing import Final

from ai_gateway.clock import Clock
from ai_gateway.limits import windows
from ai_gateway.limits.store import Counter, Held, Outcome, Spent, State

log = logging.getLogger(__name__)

#: Counters remembered at once; each takes about 400 bytes.
BOUND: Final = 100_000
#: Of the counters that were used longest ago, how many are looked at for one that is over.
_LOOK: Final = 8

#: The window's end, what is taken, what is spent for good.
_Count = list[float]
_Key = tuple[str, str]


class MemoryStore:
    """A Store of one process.

    Where the bound is reached the counter that was used longest ago goes. What it had taken is
    kept as its rule's floor: until that window's end a counter that is new begins there, so that
    who comes back finds no less taken than he left. ``told`` hears of each budget that was settled.
    """

    lag = 0.0

    def __init__(
        self, clock: Clock, told: Callable[[Spent], None] = lambda _: None, bound: int = BOUND
    ) -> None:
        self._clock = clock
        self._told = told
        self._bound = bound
        self._lock = Lock()
        self._counts: OrderedDict[_Key, _Count] = OrderedDict()
        self._floors: dict[str, tuple[float, float]] = {}
        self._known: set[str] = set()

    def now(self) -> float:
        """The process's own time."""
        return self._clock.now()

    def reserve(self, counters: Sequence[Counter], amounts: Sequence[int]) -> Outcome:
        """Take all ``amounts``, or nothing."""
        now = self._clock.now()
        with self._lock:
            lost = [c.rule for c in counters if c.budget and c.rule not in self._known]
            if lost:
                return Outcome(None, (), tuple(lost))
            found = [self._found(counter, now) for counter in counters]
            refused, latest = None, 0.0
            for index, (end, taken, _) in enumerate(found):
                if taken + amounts[index] > counters[index].cap and end > latest:
                    refused, latest = index, end
            if refused is None:
                for counter, count, amount in zip(counters, found, amounts, strict=True):
                    count[1] += amount
                    self._keep(counter, count)
                self._shrink(now)
            states = [State(int(taken), end, end - now) for end, taken, _ in found]
        return Outcome(refused, states)

    def settle(self, held: Sequence[Held]) -> None:
        """Put what was used in the place of what was reserved."""
        spent = []
        with self._lock:
            for counter, state, reserved, used in held:
                count = self._counts.get((counter.rule, counter.part))
                if count is None or count[0] != state.end:
                    continue
                count[1] = max(0, count[1] + used - reserved)
                count[2] += used
                if counter.budget:
                    spent.append(Spent(counter, int(count[2]), count[0]))
        for each in spent:
            self._told(each)

    def load(self, rule: str, window: str, end: float, sums: Mapping[str, int]) -> bool:
        """Begin with what was spent."""
        now = self._clock.now()
        if windows.end(window, now) != end:
            return False
        with self._lock:
            if rule in self._known:
                return True
            for part, amount in sums.items():
                self._keep(Counter(rule, part, window, 0), [end, amount, amount])
                self._shrink(now)
            self._known.add(rule)
        return True

    def forget(self, rule: str) -> None:
        """Nobody counts ``rule`` now: it is to be loaded again once somebody does."""
        with self._lock:
            self._known.discard(rule)
            self._floors.pop(rule, None)
            for key in [key for key in self._counts if key[0] == rule]:
                del self._counts[key]

    def close(self) -> None:
        """There is nothing to let go of."""

    def _found(self, counter: Counter, now: float) -> _Count:
        """The count as it is; one of a new window is not kept until something is taken."""
        count = self._counts.get((counter.rule, counter.part))
        if count is not None and count[0] > now:
            return count
        until, floor = self._floors.get(counter.rule, (0.0, 0.0))
        if until > now:
            return [until, floor, 0]
        return [windows.end(counter.window, now), 0, 0]

    def _keep(self, counter: Counter, count: _Count) -> None:
        key = (counter.rule, counter.part)
        self._counts[key] = count
        self._counts.move_to_end(key)

    def _shrink(self, now: float) -> None:
        while len(self._counts) > self._bound:
            oldest = list(islice(self._counts.items(), _LOOK))
            key, (end, taken, _) = next((each for each in oldest if each[1][0] <= now), oldest[0])
            del self._counts[key]
            if end > now:
                self._raise(key[0], end, taken, now)

    def _raise(self, rule: str, end: float, taken: float, now: float) -> None:
        until, floor = self._floors.get(rule, (0.0, 0.0))
        if until <= now:
            floor = 0.0
            log.warning("%d counters are in use: newcomers to %s share one", self._bound, rule)
        self._floors[rule] = (max(until, end), max(floor, taken))

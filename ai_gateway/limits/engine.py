"""Limits and budgets of one process: they live on when the bundle is reloaded."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from ai_gateway.clock import Clock
from ai_gateway.errors import BudgetExceeded, LimitsUnavailable, RateLimited
from ai_gateway.limits import windows
from ai_gateway.limits.declared import Allowance, OnError
from ai_gateway.limits.memory import MemoryStore
from ai_gateway.limits.plan import Entry, Rule
from ai_gateway.limits.rebuild import Rebuild
from ai_gateway.limits.redis import redis_store
from ai_gateway.limits.spending import Alert, Spending
from ai_gateway.limits.store import Away, Counter, Held, Outcome, State, Store

if TYPE_CHECKING:
    from collections.abc import Collection

    from ai_gateway.metrics import Metrics
    from ai_gateway.records import Records

log = logging.getLogger(__name__)

MEMORY: Final = "memory://"
#: How long a request waits for the spend to be counted again before it is refused.
PATIENCE: Final = 1.0
#: What refusals are counted under where no limit is the cause.
UNAVAILABLE: Final = "(unavailable)"
#: The longest wait that the official SDKs sleep through; a longer one they cut short.
_SLEPT: Final = 60


class Reserved(NamedTuple):
    """What a call holds until it is settled. Without states it was let through unseen."""

    entries: Sequence[Entry]
    amounts: Sequence[int]
    states: Sequence[State]


class Limits:
    """Takes and settles; swaps what is counted when a bundle comes into force."""

    def __init__(
        self,
        store: Store,
        spending: Spending,
        clock: Clock,
        records: Records,
        metrics: Metrics,
        *,
        patience: float = PATIENCE,
    ) -> None:
        self._store = store
        self._patience = patience
        self._spending = spending
        self._clock = clock
        self._metrics = metrics
        self._lock = Lock()
        self._allowed: int | None = None
        self._budgets: dict[str, Rule] = {}
        self._rebuild = Rebuild(store, records)

    @classmethod
    def of(cls, state: str, clock: Clock, records: Records, metrics: Metrics) -> Limits:
        """Those of ``memory://`` or ``redis://...``; the latter needs the ``redis`` package."""
        spending = Spending(clock)
        memory = state == MEMORY
        store = MemoryStore(clock, spending) if memory else redis_store(state, spending)
        metrics.registry.register(spending)
        return cls(store, spending, clock, records, metrics)

    def adopt(self, rules: Sequence[Rule], nameable: Collection[str]) -> None:
        """From now on ``rules`` are counted; a budget that is gone is known no longer."""
        with self._lock:
            before = self._budgets
            self._budgets = {rule.key: rule for rule in rules if rule.budget}
        self._spending.adopt(self._budgets.values())
        self._rebuild.nameable = frozenset(nameable)
        for key in before.keys() - self._budgets.keys():
            self._forget(key)

    def _forget(self, key: str) -> None:
        try:
            self._store.forget(key)
        except Away:
            log.warning("a budget that was left out is still in Redis: %s", key)

    def listen(self, listener: Callable[[Alert], object]) -> None:
        """Tell ``listener`` of budgets that are nearly or wholly spent; it must not raise."""
        self._spending.listener = listener

    def prepare(self) -> None:
        """Begin to count what was spent, before a request has to wait for it."""
        self._rebuild.begin(self._budgets.values())

    def take(self, entries: Sequence[Entry], amounts: Sequence[int], on_error: OnError) -> Reserved:
        """Reserve all ``amounts``; raises RateLimited, BudgetExceeded or LimitsUnavailable."""
        counters = [entry.counter for entry in entries]
        try:
            outcome = self._reserve(entries, counters, amounts)
        except Away:
            self._allow(on_error)
            now = self._clock.now()
            states = [State(0, windows.end(counter.window, now), 0.0) for counter in counters]
            return Reserved(entries, [0] * len(entries), states)
        self._allowed = None
        reserved = Reserved(entries, amounts, outcome.states)
        if outcome.refused is not None:
            raise self._refusal(reserved, outcome.refused)
        return reserved

    def look(self, entries: Sequence[Entry]) -> Sequence[State] | None:
        """How the counters of ``entries`` stand, with nothing taken; None while nobody knows."""
        # Nothing is below a cap of -1: the store refuses, keeps all as it is, and says how it is.
        counters = [entry.counter._replace(cap=-1) for entry in entries]
        try:
            outcome = self._store.reserve(counters, [0] * len(counters))
        except Away:
            return None
        if outcome.lost:
            lost = [entry.rule for entry in entries if entry.counter.rule in outcome.lost]
            self._rebuild.begin(lost)
            return None
        return outcome.states

    def settle(self, reserved: Reserved, used: Sequence[int]) -> None:
        """What the call came to, by entry, takes the place of what was reserved."""
        held = [
            Held(entry.counter, state, amount, came)
            for entry, amount, state, came in zip(
                reserved.entries, reserved.amounts, reserved.states, used, strict=True
            )
            if entry.rule.budget or came != amount
        ]
        if held:
            self._store.settle(held)

    def close(self) -> None:
        """Settle what is left."""
        self._rebuild.stop()
        self._store.close()

    def _reserve(
        self, entries: Sequence[Entry], counters: Sequence[Counter], amounts: Sequence[int]
    ) -> Outcome:
        outcome = self._store.reserve(counters, amounts)
        if outcome.lost:
            lost = [entry.rule for entry in entries if entry.counter.rule in outcome.lost]
            self._rebuild.begin(lost).wait(self._patience)
            outcome = self._store.reserve(counters, amounts)
        if outcome.lost:
            raise self._unavailable("What was spent is being counted; try again in a moment.")
        return outcome

    def _allow(self, on_error: OnError) -> None:
        """Let one through while the counts are away, if there is an allowance left."""
        if isinstance(on_error, Allowance):
            with self._lock:
                left = on_error.allowance if self._allowed is None else self._allowed
                if left > 0:
                    self._allowed = left - 1
                    return
        raise self._unavailable("Limits cannot be counted now; try again in a moment.")

    def _unavailable(self, message: str) -> LimitsUnavailable:
        self._metrics.limit_refusals.labels(UNAVAILABLE).inc()
        return LimitsUnavailable(message)

    def _refusal(self, reserved: Reserved, index: int) -> Refused:
        rule, amount = reserved.entries[index].rule, reserved.amounts[index]
        state = reserved.states[index]
        self._metrics.limit_refusals.labels(rule.name).inc()
        wait = max(1, math.ceil(state.wait))
        error: RateLimited
        if rule.budget:
            self._spending.refused(rule, reserved.entries[index].counter, state.end)
            day = datetime.fromtimestamp(state.end, timezone.utc).strftime("%Y-%m-%d")
            error = BudgetExceeded(f"The budget {rule.name} is used up until {day} (UTC).", wait)
        elif amount > rule.cap:
            error = RateLimited(
                f"This call may take {amount} tokens, more than the {rule.cap} of the limit "
                f"{rule.name}: send less, or a smaller limit of output tokens.",
                wait,
                again=False,
            )
        else:
            error = RateLimited(_message(rule, wait), wait, again=wait <= _SLEPT)
        return Refused(error, reserved)


class Refused(Exception):
    """``error`` is what the caller is told; ``reserved`` how his limits stand."""

    def __init__(self, error: RateLimited, reserved: Reserved) -> None:
        super().__init__(error.message)
        self.error = error
        self.reserved = reserved


def _message(rule: Rule, wait: int) -> str:
    named = "" if rule.of else f" by the limit {rule.name}"
    allowed = f"{rule.cap} {rule.unit} in {rule.window} s are allowed here{named}"
    return f"{allowed}; try again in {wait} s."

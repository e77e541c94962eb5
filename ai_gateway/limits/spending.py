"""What was spent of each budget, as the log and Prometheus tell it: by budget, never by caller."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Final

from cachetools import LRUCache
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ai_gateway.clock import Clock
from ai_gateway.limits.plan import BILLION, Rule
from ai_gateway.limits.store import Counter, Spent

log = logging.getLogger(__name__)

#: Parts of budgets whose warning is remembered.
_WARNED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Alert:
    """A part of a budget that has spent its soft share, or been refused a call (``hard``).

    ``cap`` and ``spent`` are billionths of the currency; ``end`` is the window's, seconds since
    the epoch.
    """

    budget: str
    counter: Counter
    cap: int
    spent: int | None
    end: float
    hard: bool


@dataclass(slots=True)
class _Highest:
    end: float
    ratio: float


class Spending(Collector):
    """Told of each settled budget. A part is warned of once a window, whatever it spends after."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._budgets: dict[str, Rule] = {}
        self._highest: dict[str, _Highest] = {}
        self._warned: LRUCache[tuple[str, str], float] = LRUCache(_WARNED)
        self._refused: LRUCache[tuple[str, str], float] = LRUCache(_WARNED)
        #: Is told of each part once a window; it must not raise.
        self.listener: Callable[[Alert], object] | None = None

    def adopt(self, budgets: Iterable[Rule]) -> None:
        """From now on these are told of."""
        with self._lock:
            self._budgets = {rule.key: rule for rule in budgets}
            gone = self._highest.keys() - self._budgets.keys()
            for key in gone:
                del self._highest[key]

    def __call__(self, spent: Spent) -> None:
        """One budget of one part was settled."""
        rule = self._budgets.get(spent.counter.rule)
        if rule is None:
            return
        ratio = spent.amount / rule.cap
        with self._lock:
            highest = self._highest.setdefault(rule.key, _Highest(spent.end, 0.0))
            if highest.end != spent.end:
                highest.end, highest.ratio = spent.end, 0.0
            highest.ratio = max(highest.ratio, ratio)
            key = (rule.key, spent.counter.part)
            warn = ratio >= rule.soft and self._warned.get(key) != spent.end
            if warn:
                self._warned[key] = spent.end
        if warn:
            log.warning(
                "budget %s: %.4g of %.4g is spent (%.0f %%) by %s",
                rule.name,
                spent.amount / BILLION,
                rule.cap / BILLION,
                100 * ratio,
                spent.counter.label,
            )
            if self.listener is not None:
                amount, end = spent.amount, spent.end
                self.listener(Alert(rule.name, spent.counter, rule.cap, amount, end, hard=False))

    def refused(self, rule: Rule, counter: Counter, end: float) -> None:
        """A call was refused by one budget of one part."""
        if self.listener is None:
            return
        key = (rule.key, counter.part)
        with self._lock:
            first = self._refused.get(key) != end
            self._refused[key] = end
        if first:
            self.listener(Alert(rule.name, counter, rule.cap, None, end, hard=True))

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The highest share of each budget that any part of it has spent in this window."""
        family = GaugeMetricFamily(
            "ai_gateway_budget_used_ratio",
            "Spent share of a budget, of the part that spent most, as this process knows it.",
            labels=["budget"],
        )
        now = self._clock.now()
        with self._lock:
            for key, rule in self._budgets.items():
                highest = self._highest.get(key)
                current = highest is not None and highest.end > now
                family.add_metric([rule.name], highest.ratio if highest and current else 0.0)
        yield family

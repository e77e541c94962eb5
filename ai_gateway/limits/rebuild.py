"""Budgets whose counts were lost are counted again from the records; until then they are closed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Final, cast

from ai_gateway.limits import windows
from ai_gateway.limits.plan import Rule, spent
from ai_gateway.limits.store import Away, Store

if TYPE_CHECKING:
    from ai_gateway.records import Records

log = logging.getLogger(__name__)

_DAY: Final = 86400.0
_AGAIN: Final = 1.0  # seconds after a failure
_BY: Final = ("tenant", "team", "key_id", "route", "model_requested", "served")
#: Surfaces whose calls no limit holds for: of judging, and of models that guardrail checks ask.
FREE: Final = ("judge", "guard")


class Rebuild:
    """One thread at a time, which goes on until it is done."""

    def __init__(self, store: Store, records: Records) -> None:
        self._store = store
        self._records = records
        self._lock = Lock()
        self._stopping = Event()
        self._wanted: dict[str, Rule] = {}
        self._done = Event()
        self._done.set()
        #: Names of routes that a request may name as its model.
        self.nameable: frozenset[str] = frozenset()

    def begin(self, rules: Iterable[Rule]) -> Event:
        """Count ``rules`` again, beside what is counted already; set when all is done."""
        with self._lock:
            idle = not self._wanted
            self._wanted |= {rule.key: rule for rule in rules}
            if idle and self._wanted:
                self._done = Event()
                Thread(target=self._run, name="limits-rebuild", daemon=True).start()
            return self._done

    def stop(self) -> None:
        """Give up."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(self._store.lag):
            with self._lock:
                wanted = list(self._wanted.values())
            done = self._try(wanted)
            with self._lock:
                for rule in wanted if done else ():
                    del self._wanted[rule.key]
                if not self._wanted:
                    self._done.set()
                    return
            if not done:
                self._stopping.wait(_AGAIN)

    def _try(self, wanted: list[Rule]) -> bool:
        try:
            self._records.flush()
            counted = [self._count(rule) for rule in wanted]
        except Away:
            log.warning("budgets stay closed: their counts cannot be reached")
        except Exception as error:  # noqa: BLE001 - a store that is away, a file that is broken
            log.warning("budgets stay closed: what was spent cannot be read (%s)", error)
        else:
            return all(counted)
        return False

    def _count(self, rule: Rule) -> bool:
        """Whether the window is still that which was counted."""
        now, window = self._store.now(), cast("str", rule.window)
        begin, end = windows.start(window, now), windows.end(window, now)
        sums = spent(rule, self._rows(begin, end), self.nameable)
        loaded = self._store.load(rule.key, window, end, sums)
        if loaded:
            log.info("budget %s: counted from the records, %d parts", rule.name, len(sums))
        return loaded

    def _rows(self, begin: float, end: float) -> Iterator[dict[str, Any]]:
        """What was spent by each combination of names; a day is read at a time."""
        where = [("cost", "!=", None), ("served", "!=", None)]
        while begin < end:
            columns = [*_BY, "surface", "cost"]
            found = self._records.scan("requests", columns, begin, begin + _DAY, where)
            grouped = found.group_by([*_BY, "surface"]).aggregate([("cost", "sum")])
            for row in grouped.to_pylist():
                if row["surface"] not in FREE:
                    yield {**row, "cost": row["cost_sum"]}
            begin += _DAY

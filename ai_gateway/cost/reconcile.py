"""Every recorded cost, worked out again from the stored raw usage and the stored rates."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ai_gateway.cost.charge import again, cost
from ai_gateway.cost.estimate import is_estimate
from ai_gateway.cost.prices import Rates
from ai_gateway.cost.tokens import Tokens, tokens
from ai_gateway.formats import Usage

_SHOWN = 100  # drifting rows that are named; all are counted
#: A double's own rounding: rows of older versions were worked out in floating point.
_RELATIVE, _ABSOLUTE = 1e-9, 1e-12

#: The rates of a model by its name, for rows that hold none: today's, not that day's.
RatesOf = Callable[[str, Tokens], "Rates | None"]


@dataclass(slots=True)
class Total:
    """One model's sums, in the currency of the prices."""

    rows: int = 0
    recorded: float = 0.0
    recomputed: float = 0.0


@dataclass(frozen=True, slots=True)
class Drift:
    """A row whose recorded cost is not what its usage comes to."""

    request_id: str
    model: str
    recorded: float | None
    recomputed: float | None


@dataclass(slots=True)
class Report:
    """What came of it; ``ok`` where every row that can be checked holds."""

    rows: int = 0
    checked: int = 0
    #: Answered rows whose usage is missing or says nothing.
    uncounted: int = 0
    #: Rows with a usage and no price.
    unpriced: int = 0
    #: Of those checked: by today's price, since the row holds none; and of estimated tokens.
    undated: int = 0
    estimated: int = 0
    drifting: int = 0
    #: The first hundred of those.
    drifts: list[Drift] = field(default_factory=list)
    models: defaultdict[str, Total] = field(default_factory=lambda: defaultdict(Total))

    @property
    def ok(self) -> bool:
        """Whether no recorded cost differs from its own usage."""
        return self.drifting == 0

    def add(self, row: Mapping[str, Any], recomputed: float | None) -> None:
        """One row that was checked."""
        model, recorded = str(row["served"]), row.get("cost")
        self.checked += 1
        total = self.models[model]
        total.rows += 1
        total.recorded += recorded or 0.0
        total.recomputed += recomputed or 0.0
        if not _same(recorded, recomputed):
            self.drifting += 1
            if len(self.drifts) < _SHOWN:
                self.drifts.append(Drift(str(row["request_id"]), model, recorded, recomputed))


def recompute(rows: Iterable[Mapping[str, Any]], rates_of: RatesOf) -> Report:
    """The report on ``rows`` of the requests table, read one by one.

    Of each row it reads ``request_id``, ``served``, ``selection``, ``usage`` (the raw usage as
    JSON), ``cost`` and, where the table has it, ``price`` (that of its ``Charge``, as JSON).
    """
    report = Report()
    for row in rows:
        report.rows += 1
        if row.get("served") is not None:
            _check(row, rates_of, report)
    return report


def _check(row: Mapping[str, Any], rates_of: RatesOf, report: Report) -> None:
    raw, stored = _object(row.get("usage")), _object(row.get("price"))
    report.estimated += is_estimate(raw)
    if row.get("selection") == "cache":
        report.add(row, 0.0)  # what a cache answers costs nothing, whatever the answer once cost
    elif stored is not None:
        report.add(row, _again(raw, stored))
    else:
        _check_undated(row, raw, rates_of, report)


def _again(raw: Mapping[str, Any] | None, stored: Mapping[str, Any]) -> float | None:
    try:
        amount = again(Usage(raw=raw), stored)
    except ValueError:
        return None
    return None if amount is None else float(amount)


def _check_undated(
    row: Mapping[str, Any], raw: Mapping[str, Any] | None, rates_of: RatesOf, report: Report
) -> None:
    counted = tokens(Usage(raw=raw))
    if counted is None:
        report.uncounted += 1
        return
    rates = rates_of(str(row["served"]), counted)
    if rates is None or row.get("cost") is None:
        report.unpriced += 1  # then or now
        return
    report.undated += 1
    report.add(row, float(cost(counted, rates)))


def _object(text: object) -> dict[str, Any] | None:
    try:
        value = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _same(recorded: float | None, recomputed: float | None) -> bool:
    if recorded is None or recomputed is None:
        return recorded is recomputed
    return math.isclose(recorded, recomputed, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)

"""Every recorded cost, worked out again from the stored raw usage and the stored price.

``python -m ai_gateway.cost.reconcile`` does so for the records in ``GATEWAY_DATA``, prints what
came of it as JSON, and exits with 1 where a cost is not what its row says that it follows from.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from ai_gateway import strictjson
from ai_gateway.clock import SystemClock
from ai_gateway.cost.charge import again
from ai_gateway.cost.estimate import is_estimate
from ai_gateway.cost.tokens import tokens
from ai_gateway.formats import Usage
from ai_gateway.records.command import opened
from ai_gateway.settings import Settings

#: What is read of a row.
COLUMNS: Final = ("request_id", "served", "selection", "usage", "price", "cost")
_SHOWN = 100  # drifting rows that are named; all are counted


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
    #: Rows whose tokens are an estimate.
    estimated: int = 0
    drifting: int = 0
    #: The first hundred of those.
    drifts: list[Drift] = field(default_factory=list)
    models: defaultdict[str, Total] = field(default_factory=lambda: defaultdict(Total))

    def summary(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        found["models"] = {model: asdict(total) for model, total in sorted(self.models.items())}
        return found | {"drifts": [asdict(drift) for drift in self.drifts]}

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
        if recorded != recomputed:
            self.drifting += 1
            if len(self.drifts) < _SHOWN:
                self.drifts.append(Drift(str(row["request_id"]), model, recorded, recomputed))


def main(arguments: Sequence[str] | None = None, settings: Settings | None = None) -> int:
    """The command."""
    argparse.ArgumentParser(
        "python -m ai_gateway.cost.reconcile",
        description="Work every cost in GATEWAY_DATA out again from its raw usage and price.",
    ).parse_args(arguments)
    settings = settings or Settings.read()
    with opened(settings, SystemClock()) as records:
        report = recompute(records.rows("requests", COLUMNS))
    sys.stdout.write(strictjson.dumps(report.summary()).decode() + "\n")
    return 0 if report.ok else 1


def recompute(rows: Iterable[Mapping[str, Any]]) -> Report:
    """The report on ``rows`` of the requests table, read one by one.

    Of each row it reads ``COLUMNS``: ``usage`` is the raw usage, ``price`` that of its ``Charge``,
    both as JSON.
    """
    report = Report()
    for row in rows:
        report.rows += 1
        if row.get("served") is not None:
            _check(row, report)
    return report


def _check(row: Mapping[str, Any], report: Report) -> None:
    raw, stored = _object(row.get("usage")), _object(row.get("price"))
    report.estimated += is_estimate(raw)
    if row.get("selection") == "cache":
        report.add(row, 0.0)  # what a cache answers costs nothing, whatever the answer once cost
    elif stored is not None:
        report.add(row, _again(raw, stored))
    elif row.get("cost") is not None:
        report.add(row, None)  # nothing says what it follows from
    elif tokens(Usage(raw=raw)) is None:
        report.uncounted += 1
    else:
        report.unpriced += 1


def _again(raw: Mapping[str, Any] | None, stored: Mapping[str, Any]) -> float | None:
    try:
        amount = again(Usage(raw=raw), stored)
    except ValueError:
        return None
    return None if amount is None else float(amount)


def _object(text: object) -> dict[str, Any] | None:
    try:
        value = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


if __name__ == "__main__":
    sys.exit(main())

"""What the page shows at one moment: plain values, read from records and nothing else.

A view holds no table and no widget, so that two of them can be compared and a test can build one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ai_gateway.answer.weights import UNJUDGED
from ai_gateway.clock import Clock
from ai_gateway.dashboard import text
from ai_gateway.guardrails import operating
from ai_gateway.records import Records, StoreUnavailable, queries

Row = Mapping[str, Any]

#: The periods to choose from, in seconds; None has no beginning.
PERIODS: Final[Mapping[str, float | None]] = {
    "15 min": 900.0,
    "Hour": 3600.0,
    "Day": 86_400.0,
    "7 days": 604_800.0,
    "All": None,
}
ALL_MODELS: Final = "All models"
#: Rows of the stream of decisions, and of refusals.
_NEWEST: Final = 100
#: Points of a model's line at most.
_POINTS: Final = 300


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a viewer asked for: a name of ``PERIODS``, and a model or ``ALL_MODELS``."""

    period: str = "Day"
    model: str = ALL_MODELS


@dataclass(frozen=True, slots=True)
class View:
    """All that is on the page. Times are aware datetimes, UTC; durations milliseconds."""

    wanted: Wanted
    #: Why there is nothing to show, for the reader; None when there is.
    problem: str | None = None
    #: True while no request was ever recorded.
    empty: bool = False
    totals: Row = field(default_factory=dict)
    #: One row a model: its current score, and what it did in the period.
    models: Sequence[Row] = ()
    #: What judging itself took, one row a judging model.
    judges: Sequence[Row] = ()
    #: The same of models that guardrail checks ask.
    guards: Sequence[Row] = ()
    #: The published scores, thinned: model, published_at, score, score_low, score_high.
    history: Sequence[Row] = ()
    decisions: Sequence[Row] = ()
    refusals: Sequence[Row] = ()
    rules: Sequence[Row] = ()
    #: Every guardrail rule's operating point, as ``guardrails.operating`` has it.
    points: Sequence[Row] = ()
    #: How many labels there are of them, and how many were left out.
    labels: int = 0
    left_out: Row = field(default_factory=dict)
    #: Of streams that a guardrail cut: streams, characters, most.
    leaks: Row = field(default_factory=dict)
    #: Every model that can be chosen, whatever is chosen now.
    names: Sequence[str] = ()
    #: Seconds since the epoch.
    read_at: float = field(default=0.0, compare=False)


def read(records: Records, wanted: Wanted, clock: Clock) -> View:
    """The view of the store now. Never raises for a store that cannot be read: it says so."""
    now = clock.now()
    try:
        return _read(records, wanted, now)
    except (StoreUnavailable, OSError) as error:
        problem = f"The record store cannot be read now ({error}). This page keeps trying."
        return View(wanted, problem=problem, read_at=now)


def _read(records: Records, wanted: Wanted, now: float) -> View:
    period = PERIODS[wanted.period]
    since = None if period is None else now - period
    model = None if wanted.model == ALL_MODELS else wanted.model
    published = records.latest_weights()
    scores = {row["model"]: row for row in (published[1] if published else [])}
    summary = queries.models_summary(records, since).to_pylist()
    did = {row["model"]: row for row in summary if not (row["judge"] or row["guard"])}
    names = sorted({*scores, *did})
    found = operating.report(records, since)
    shown = [name for name in names if model in (None, name)]
    return View(
        wanted,
        empty=not names and records.latest("requests") is None,
        totals=queries.totals(records, since, model=model),
        models=[_model(name, scores.get(name, {}), did.get(name, {})) for name in shown],
        judges=[row for row in summary if row["judge"]],
        guards=[row for row in summary if row["guard"]],
        history=_history(records, since, shown)
        or [scores[name] for name in shown if name in scores],
        decisions=[
            _decision(row)
            for row in queries.recent_decisions(records, _NEWEST, model, since).to_pylist()
        ],
        refusals=[_refusal(row) for row in queries.refusals(records, _NEWEST, since).to_pylist()],
        rules=[{**row, "rule": _rule(row)} for row in queries.refusals_by_rule(records, since)],
        points=found.rules,
        labels=found.labels,
        left_out=found.left_out,
        leaks=queries.leaks(records, since),
        names=names,
        read_at=now,
    )


#: What a model has that nobody judged yet: it is routed by that.
_UNJUDGED: Final = {
    "score": UNJUDGED.score,
    "score_low": UNJUDGED.low,
    "score_high": UNJUDGED.high,
    "samples": UNJUDGED.samples,
}
_DID: Final = (
    "requests",
    "errors",
    "latency_ms_p50",
    "latency_ms_p95",
    "time_to_first_token_ms",
    "input_tokens",
    "output_tokens",
    "cost",
)


def _model(name: str, score: Row, did: Row) -> Row:
    return {
        "model": name,
        **{column: score.get(column, start) for column, start in _UNJUDGED.items()},
        **{column: did.get(column) for column in _DID},
    }


def _history(records: Records, since: float | None, models: Sequence[str]) -> list[Row]:
    """The last score of each model in each of ``_POINTS`` equal parts of the time."""
    found = queries.weights_history(records, since).to_pandas()
    found = found.loc[found["model"].isin(list(models))]
    if found.empty:
        return []
    times = found["published_at"]
    width = max((times.max() - times.min()).total_seconds() / _POINTS, 1e-6)
    parts = ((times - times.min()).dt.total_seconds() // width).rename("part")
    thinned = found.groupby([found["model"], parts]).tail(1).sort_values(["model", "published_at"])
    rows: list[Row] = thinned[["model", "published_at", *_UNJUDGED]].to_dict("records")
    return rows


def _decision(row: Row) -> Row:
    return {
        "id": row["request_id"],
        "time": row["received_at"],
        "question": text.limited(row["input"]),
        "answer": text.limited(row["output"]),
        "model": row["served"] or row["chosen"],
        "why": text.why(row),
        "score": row["score"],
        "reason": text.limited(row["reason"]),
        "status": row["status"],
        "error": row["error"],
        "latency_ms": row["latency_ms"],
        "cost": row["cost"],
        "route": row["route"],
    }


def _refusal(row: Row) -> Row:
    return {
        "id": row["request_id"],
        "time": row["received_at"],
        "question": text.limited(row["input"]),
        "rule": _rule(row),
        "status": row["status"],
        "route": row["route"] or row["path"],
    }


def _rule(row: Row) -> str:
    """The policy and rule that refused; where none did, the error's code."""
    if row["rule"] is None:
        return str(row["error"])
    return f"{row['policy']}: {row['rule']}"

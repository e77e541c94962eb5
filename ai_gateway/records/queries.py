"""What the dashboard asks: plain functions from records to Arrow tables.

Times are seconds since the epoch, ``since`` included and ``until`` not. The gateway's own calls
(surface ``judge``, ``guard`` for models that guardrail checks ask, and ``cache`` for embeddings)
count as what judging, guarding and caching cost, never as requests; those of a shadow, which
answers nobody, are left out. What a cache answered (selection ``cache``) is a request, but no
model's answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from ai_gateway.records import outcome, tables

if TYPE_CHECKING:
    from ai_gateway.records.store import Records

_JUDGE: Final = "judge"
_GUARD: Final = "guard"
_SHADOW: Final = "shadow"
_NUMBERS: Final = (
    "latency_ms",
    "overhead_ms",
    "time_to_first_token_ms",
    "input_tokens",
    "output_tokens",
    "cost",
)
#: What both the summary and the totals read, so that a cache of columns serves both.
_COUNTED: Final = ("served", "chosen", "surface", "selection", "status", *_NUMBERS)
_BY_MODELS: Final[Sequence[tables.Condition]] = [("selection", "!=", "cache")]
_QUANTILES: Final = [0.5, 0.95]


def totals(
    records: Records,
    since: float | None = None,
    until: float | None = None,
    model: str | None = None,
) -> dict[str, int | float | None]:
    """The headline numbers, of all requests or of those that ``model`` was chosen for.

    requests, answered (below 400), cached (of those, from the cache), refused (4xx), failed (5xx),
    judged (scored answers, by the time of judging), score (their mean), latency_ms_p50 and
    latency_ms_p95 (of the answered, estimated), input_tokens, output_tokens, cost (sums). A mean,
    a quantile or a sum of nothing is null.
    """
    found = records.scan("requests", _COUNTED, since, until, [("surface", "not in", outcome.OWN)])
    if model is not None:
        found = found.filter(tables.mask(found, _BY_MODELS))
        found = found.filter(pc.equal(pc.coalesce(found["served"], found["chosen"]), model))
    answered = found.filter(tables.mask(found, [("status", "<", outcome.REFUSED)]))
    failed = found.filter(tables.mask(found, [("status", ">=", outcome.FAILED)])).num_rows
    p50, p95 = pc.tdigest(answered["latency_ms"], q=_QUANTILES).to_pylist()
    return {
        "requests": found.num_rows,
        "answered": answered.num_rows,
        "cached": found.num_rows - found.filter(tables.mask(found, _BY_MODELS)).num_rows,
        "refused": found.num_rows - answered.num_rows - failed,
        "failed": failed,
        "latency_ms_p50": p50,
        "latency_ms_p95": p95,
        **{name: pc.sum(found[name]).as_py() for name in _NUMBERS[3:]},
        **_judged(records, since, until, model),
    }


def _judged(
    records: Records, since: float | None, until: float | None, model: str | None
) -> dict[str, int | float | None]:
    scored: list[tables.Condition] = [("outcome", "==", "scored")]
    if model is not None:
        scored.append(("model", "==", model))
    found = records.scan("scores", ["model", "judged_at", "score"], since, until, scored)
    return {"judged": found.num_rows, "score": pc.mean(found["score"]).as_py()}


def models_summary(
    records: Records, since: float | None = None, until: float | None = None
) -> pa.Table:
    """One row a model, and one with ``judge`` or ``guard`` true for what that took of a model.

    Columns: model, judge, guard, requests, errors (5xx), latency_ms, overhead_ms and
    time_to_first_token_ms (means), latency_ms_p50 and latency_ms_p95 (estimated), input_tokens,
    output_tokens, cost (sums; null where nothing is known). Requests that no model was chosen for
    are left out.
    """
    where: list[tables.Condition] = [("surface", "!=", _SHADOW), *_BY_MODELS]
    found = records.scan("requests", _COUNTED, since, until, where)
    table = pa.table(
        {
            "model": pc.coalesce(found["served"], found["chosen"]),
            "judge": tables.mask(found, [("surface", "==", _JUDGE)]),
            "guard": tables.mask(found, [("surface", "==", _GUARD)]),
            "error": pc.cast(tables.mask(found, [("status", ">=", outcome.FAILED)]), pa.int64()),
            **{name: found[name] for name in _NUMBERS},
        }
    )
    table = table.filter(table["model"].is_valid())
    means = [(name, "mean") for name in _NUMBERS[:3]]
    sums = [(name, "sum") for name in ("error", *_NUMBERS[3:])]
    quantiles = ("latency_ms", "tdigest", pc.TDigestOptions(q=_QUANTILES))
    aggregates = [([], "count_all"), *means, *sums, quantiles]
    kinds = ("judge", "guard")
    grouped = table.group_by(["model", *kinds]).aggregate(aggregates)
    return _summary(grouped).sort_by([(name, "ascending") for name in (*kinds, "model")])


def _summary(grouped: pa.Table) -> pa.Table:
    return pa.table(
        {
            "model": grouped["model"],
            "judge": grouped["judge"],
            "guard": grouped["guard"],
            "requests": grouped["count_all"],
            "errors": grouped["error_sum"],
            "latency_ms": grouped["latency_ms_mean"],
            "latency_ms_p50": pc.list_element(grouped["latency_ms_tdigest"], 0),
            "latency_ms_p95": pc.list_element(grouped["latency_ms_tdigest"], 1),
            "overhead_ms": grouped["overhead_ms_mean"],
            "time_to_first_token_ms": grouped["time_to_first_token_ms_mean"],
            "input_tokens": grouped["input_tokens_sum"],
            "output_tokens": grouped["output_tokens_sum"],
            "cost": grouped["cost_sum"],
        }
    )


def scores_over_time(
    records: Records,
    since: float | None = None,
    until: float | None = None,
    bucket: float = 3600.0,
) -> pa.Table:
    """Per model and ``bucket`` seconds: model, time (its start), score (mean), judged (rows).

    Buckets go by the time of judging, and start at whole multiples of ``bucket`` since the epoch.
    """
    scored = [("outcome", "==", "scored")]
    found = records.scan("scores", ["model", "judged_at", "score"], since, until, scored)
    width = round(bucket * 1e6)
    times = pc.cast(found["judged_at"], pa.int64())
    starts = pc.multiply(pc.divide(times, width), width)
    kind = found.schema.field("judged_at").type
    table = pa.table({"model": found["model"], "time": starts, "score": found["score"]})
    grouped = table.group_by(["model", "time"]).aggregate([("score", "mean"), ([], "count_all")])
    series = pa.table(
        {
            "model": grouped["model"],
            "time": grouped["time"].cast(kind),
            "score": grouped["score_mean"],
            "judged": grouped["count_all"],
        }
    )
    return series.sort_by([("time", "ascending"), ("model", "ascending")])


_DECISION: Final = (
    "request_id",
    "received_at",
    "tenant",
    "route",
    "surface",
    "input",
    "output",
    "model_requested",
    "selection",
    "routing",
    "chosen",
    "served",
    "propensity",
    "candidates",
    "status",
    "error",
    "latency_ms",
    "cost",
    "simulated",
)


def recent_decisions(
    records: Records, limit: int, model: str | None = None, since: float | None = None
) -> pa.Table:
    """The newest answers that a model was chosen for, newest first, with ``score`` and ``reason``.

    The score is the newest that any prompt gave; null while there is none.
    """
    conditions: list[tables.Condition] = [
        ("surface", "not in", outcome.OWN),
        ("chosen", "!=", None),
    ]
    if model is not None:
        conditions.append(("served", "==", model))
    found = records.newest("requests", limit, list(_DECISION), since, conditions)
    return _scored(records, found)


def _scored(records: Records, decisions: pa.Table) -> pa.Table:
    times = pc.min(decisions["received_at"].cast(pa.int64())).as_py()
    ids = decisions["request_id"]
    wanted = [("outcome", "==", "scored"), ("request_id", "in", ids)]
    columns = ["request_id", "judged_at", "score", "reason"]
    scores = records.scan("scores", columns, since=(times or 0) / 1e6, where=wanted)
    by_id = {row["request_id"]: row for row in scores.sort_by("judged_at").to_pylist()}
    rows = [by_id.get(each, {}) for each in ids.to_pylist()]
    for name in ("score", "reason"):
        kind = scores.schema.field(name).type
        decisions = decisions.append_column(name, pa.array([row.get(name) for row in rows], kind))
    return decisions


_REFUSAL: Final = (
    "request_id",
    "received_at",
    "tenant",
    "route",
    "path",
    "status",
    "error",
    "input",
)


_REFUSALS: Final[Sequence[tables.Condition]] = (
    ("status", ">=", outcome.REFUSED),
    ("status", "<", outcome.FAILED),
    ("surface", "not in", outcome.OWN),
)


#: What all that asks after guardrails reads, so that a cache of columns serves all of it.
_GUARDED: Final = ("tenant", "surface", "status", "error", "verdicts", "leaked", "received_at")
_RULE: Final = ("policy", "check", "rule")
#: The rule of a check that could not be run (``guardrails.engine.FAILED``), which is no finding.
_FAILED: Final = "check-failed"


def refusals(records: Records, limit: int, since: float | None = None) -> pa.Table:
    """The newest requests that were refused (4xx), newest first, with ``policy`` and ``rule``.

    Both are of the first verdict that blocked; null where no guardrail did.
    """
    columns = [*_REFUSAL, "verdicts"]
    found = records.newest("requests", limit, columns, since, _REFUSALS)
    blocks = [_block(verdicts or []) for verdicts in found["verdicts"].to_pylist()]
    found = found.select(_REFUSAL)
    for name in ("policy", "rule"):
        values = pa.array([block.get(name) for block in blocks], pa.string())
        found = found.append_column(name, values)
    return found


def refusals_by_rule(
    records: Records, since: float | None = None, until: float | None = None
) -> list[dict[str, str | int | None]]:
    """How often each rule refused (4xx), the most frequent first: policy, rule, error, count.

    As in ``refusals``; where no guardrail did, policy and rule are None and ``error`` says why.
    """
    found = records.scan("requests", _GUARDED, since, until, _REFUSALS)
    blocks = (_block(verdicts or []) for verdicts in found["verdicts"].to_pylist())
    causes = Counter(
        (block.get("policy"), block.get("rule"), error)
        for block, error in zip(blocks, found["error"].to_pylist(), strict=True)
    )
    return [
        {"policy": policy, "rule": rule, "error": error, "count": count}
        for (policy, rule, error), count in causes.most_common()
    ]


def leaks(
    records: Records, since: float | None = None, until: float | None = None
) -> dict[str, int | None]:
    """What had left of the streams that a guardrail cut.

    streams (how many), characters (of all together) and most (of one); null where there is none.
    """
    where: list[tables.Condition] = [("surface", "not in", outcome.OWN), ("leaked", "!=", None)]
    left = records.scan("requests", _GUARDED, since, until, where)["leaked"]
    return {
        "streams": len(left),
        "characters": pc.sum(left).as_py(),
        "most": pc.max(left).as_py(),
    }


def rules_fired(
    records: Records, since: float | None = None, requests: Collection[str] = ()
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """How often each rule fired, and what there is of ``requests`` (ids).

    Each rule: policy, check, rule, enforced and observed (requests, each counted once however
    often the rule found something in it). Of each request that is there: tenant, and verdicts as
    it has them. Checks that failed are left out of both.
    """
    columns = ["request_id", *_GUARDED]
    found = records.scan("requests", columns, since, None, [("surface", "not in", outcome.OWN)])
    wanted = pc.is_in(found["request_id"], value_set=pa.array(list(requests), pa.string()))
    about = {
        row["request_id"]: {**row, "verdicts": _findings(row["verdicts"] or [])}
        for row in found.filter(wanted).select(["request_id", "tenant", "verdicts"]).to_pylist()
    }
    firings = _firings(found["verdicts"])
    counted = firings.group_by(list(_RULE)).aggregate([("enforced", "sum"), ("observed", "sum")])
    names = {"enforced_sum": "enforced", "observed_sum": "observed"}
    return counted.rename_columns(
        [names.get(n, n) for n in counted.column_names]
    ).to_pylist(), about


def _findings(verdicts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [verdict for verdict in verdicts if verdict["rule"] != _FAILED]


def _firings(verdicts: pa.ChunkedArray) -> pa.Table:
    """One row a request and rule: policy, check, rule, and 1 where it was enforced or observed."""
    lists = verdicts.filter(pc.greater(pc.list_value_length(verdicts), 0)).combine_chunks()
    each = pc.list_flatten(lists)
    observed = pc.equal(pc.struct_field(each, "mode"), "observe").fill_null(fill_value=False)
    parts = {name: pc.struct_field(each, name) for name in _RULE}
    table = pa.table({"request": pc.list_parent_indices(lists), **parts, "observed": observed})
    table = table.filter(tables.mask(table, [("rule", "!=", _FAILED)]))
    once = table.group_by(table.column_names).aggregate([])
    marks = {"observed": once["observed"], "enforced": pc.invert(once["observed"])}
    counts = {name: pc.cast(mark, pa.int64()) for name, mark in marks.items()}
    return pa.table({**{name: once[name] for name in _RULE}, **counts})


def _block(verdicts: list[dict[str, str | None]]) -> dict[str, str | None]:
    blocked = (each for each in verdicts if each["action"] == "block" and each["mode"] != "observe")
    return next(blocked, {})


def weights_history(records: Records, since: float | None = None) -> pa.Table:
    """Every published weight, oldest first: the columns of ``weights``."""
    order = [("published_at", "ascending"), ("model", "ascending")]
    return records.scan("weights", since=since).sort_by(order)

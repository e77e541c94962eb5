"""What a process has counted, as JSON rows: its Prometheus registry, by what one wants to know."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from prometheus_client.metrics_core import Metric

from ai_gateway.contract import Context, Event
from ai_gateway.errors import BadRequest, NotFound
from ai_gateway.manifest.model import Manifest

#: What each type is made of, by how the names of metrics go on behind ``ai_gateway_``; what none
#: of them has is of the type ``process``.
TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    "requests": ("requests",),
    "latency": ("request_seconds", "time_to_first_token_seconds"),
    "errors": ("requests", "model_attempts", "guardrail_check_failures"),
    "tokens": ("model_tokens",),
    "cost": ("model_cost",),
    "cache": ("cache",),
    "guardrails": ("guardrail_",),
    "models": ("model_", "retries", "fallbacks", "shadows", "circuit", "queue", "endpoint"),
}
PROCESS: Final = "process"
_PREFIX: Final = "ai_gateway_"
_QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_FAILED: Final = 400

Row = dict[str, Any]


def asked(event: Event, manifest: Manifest) -> tuple[str | None, str | None]:
    """``type`` and ``endpoint`` of the query; raises BadRequest or NotFound for what is none."""
    try:
        query = parse_qs(event.query, max_num_fields=20)
    except ValueError:
        raise BadRequest("The query has too many fields.") from None
    known = [*TYPES, PROCESS]
    kind, endpoint = (query.get(name, [None])[-1] for name in ("type", "endpoint"))
    if kind is not None and kind not in known:
        raise BadRequest(
            f"There is no type {kind[:40]!r}; there is {', '.join(known)}.", param="type"
        )
    if endpoint is not None and not _routes(manifest, endpoint):
        raise NotFound(f"No route has the path {endpoint[:200]}.")
    return kind, endpoint


def figures(context: Context, kind: str | None, endpoint: str | None) -> dict[str, Any]:
    """One row a metric and labels, of ``kind`` alone if one is given.

    With ``endpoint`` those of the routes on that path; a metric that is of no route is left out.
    Counts are since the process started, seconds of quantiles are estimates by buckets.
    """
    context.metrics.gauge(context.records.status(), context.keys.status())
    found = list(context.metrics.registry.collect())
    kinds = [kind] if kind else [*TYPES, PROCESS]
    rows = [{"type": each, **row} for each in kinds for row in _of(each, found)]
    if endpoint is not None:
        names = _routes(context.manifest, endpoint)
        rows = [row for row in rows if row["labels"].get("route") in names]
    return {"type": kind or "all", "endpoint": endpoint, "metrics": rows}


def _routes(manifest: Manifest, endpoint: str) -> set[str]:
    return {route.name for route in manifest.routes if route.path == endpoint}


def _of(kind: str, found: Iterable[Metric]) -> Iterator[Row]:
    for metric in found:
        if kind == PROCESS:
            if not any(_fits(metric.name, each) for each in TYPES):
                yield from _rows(metric)
        elif _fits(metric.name, kind):
            rows = list(_rows(metric))
            yield from _errors(rows) if kind == "errors" else rows


def _fits(name: str, kind: str) -> bool:
    return name.removeprefix(_PREFIX).startswith(TYPES[kind])


def _errors(rows: list[Row]) -> Iterator[Row]:
    """The rows that count failures, each with its share of all that its route or model did."""
    totals: dict[tuple[str, str | None], float] = {}
    for row in rows:
        totals[_group(row)] = totals.get(_group(row), 0.0) + row["value"]
    for row in rows:
        if row["value"] and _is_failure(row["labels"]):
            yield {**row, "share": row["value"] / totals[_group(row)]}


def _is_failure(labels: Mapping[str, str]) -> bool:
    """A status of 400 and more, an outcome that is not ok, or what counts failures alone."""
    status = labels.get("status")
    if status is not None:
        return int(status) >= _FAILED
    return labels.get("outcome") != "ok" and bool(labels)


def _group(row: Row) -> tuple[str, str | None]:
    labels = row["labels"]
    return row["name"], labels.get("route") or labels.get("model") or labels.get("check")


def _rows(metric: Metric) -> Iterator[Row]:
    if metric.type == "histogram":
        yield from _histograms(metric)
        return
    for sample in metric.samples:
        if not sample.name.endswith("_created"):
            yield {"name": metric.name, "labels": dict(sample.labels), "value": sample.value}


def _histograms(metric: Metric) -> Iterator[Row]:
    """Count, sum, mean and quantiles of each histogram, in the metric's unit."""
    buckets: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    sums: dict[tuple[tuple[str, str], ...], float] = {}
    for sample in metric.samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        key = tuple(sorted(labels.items()))
        if sample.name.endswith("_bucket"):
            buckets.setdefault(key, []).append((float(sample.labels["le"]), sample.value))
        elif sample.name.endswith("_sum"):
            sums[key] = sample.value
    for key, counts in buckets.items():
        total = counts[-1][1]
        row = {"name": metric.name, "labels": dict(key), "count": total, "sum": sums[key]}
        row["mean"] = sums[key] / total if total else None
        yield row | {name: quantile(counts, share) for name, share in _QUANTILES.items()}


def quantile(counts: list[tuple[float, float]], share: float) -> float | None:
    """A quantile from cumulative counts by upper bound, as Prometheus' histogram_quantile.

    None without an observation; the largest finite bound for what lies beyond it.
    """
    rank = share * counts[-1][1]
    if not rank:
        return None
    place = next(at for at, (_, count) in enumerate(counts) if count >= rank)
    low, before = counts[place - 1] if place else (0.0, 0.0)
    bound, count = counts[place]
    return low if bound == math.inf else low + (bound - low) * (rank - before) / (count - before)

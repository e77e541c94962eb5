"""The models' scores from the stored judgings, and into the table that the routing follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ai_gateway.answer.weights import UNJUDGED, Score
from ai_gateway.judge import weights
from ai_gateway.manifest.model import Judge, Manifest
from ai_gateway.records import to_rows

if TYPE_CHECKING:
    from ai_gateway.records import Records

_COLUMNS = ("model", "outcome", "score", "requested_at", "request_id")
_NEWEST = [("requested_at", "descending"), ("request_id", "descending")]


def derive(records: Records, manifest: Manifest, judge: Judge, now: float) -> dict[str, Score]:
    """Every model's Score by the current prompt: scores of two prompts do not compare."""
    names = models(manifest, judge)
    rows = [row for name in names for row in _newest(records, name, judge, now)]
    return weights.scores(rows, names, judge.window)


def models(manifest: Manifest, judge: Judge) -> list[str]:
    """The models that some route chooses from, and all others but the judge's own."""
    routed = {name for route in manifest.routes for name in manifest.candidates(route)}
    return [name for name in manifest.models if name != judge.model or name in routed]


def _newest(records: Records, model: str, judge: Judge, now: float) -> list[dict[str, Any]]:
    """The rows in the window of ``model``.

    Looks back as far as answers are judged, and through all of the past only where that is too
    little: what was judged before a time was also requested before it.
    """
    conditions = [
        ("outcome", "==", "scored"),
        ("prompt", "==", judge.prompt),
        ("model", "==", model),
    ]
    rows: list[dict[str, Any]] = []
    for since in (now - judge.lookback, 0.0):
        found = records.scan("scores", _COLUMNS, since=since, where=conditions)
        rows = to_rows(found.sort_by(_NEWEST).slice(0, judge.window))
        if len(rows) == judge.window and rows[-1]["requested_at"] >= since * 1e6:
            break
    return rows


def is_published(records: Records, scores: Mapping[str, Score]) -> bool:
    """True when the newest publication says the same; before the first, each model has 1.0."""
    found = records.latest("weights")
    rows = to_rows(found[1]) if found else []
    current = {
        row["model"]: Score(row["score"], row["score_low"], row["score_high"], row["samples"])
        for row in rows
    }
    return all(current.get(model, UNJUDGED) == score for model, score in scores.items())


def rows(
    scores: Mapping[str, Score], weights_id: str, tick_id: str, now: float
) -> list[dict[str, Any]]:
    """One publication as rows of the weights table, a model each."""
    return [
        {
            "schema_version": 1,
            "weight_id": f"{weights_id}:{model}",
            "weights_id": weights_id,
            "published_at": round(now * 1e6),
            "tick_id": tick_id,
            "model": model,
            "score": score.score,
            "score_low": score.low,
            "score_high": score.high,
            "samples": score.samples,
        }
        for model, score in scores.items()
    ]

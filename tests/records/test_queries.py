"""What the dashboard shows."""

from __future__ import annotations

from typing import Any

from ai_gateway.records import Records, queries, to_rows
from tests.records.conftest import DAY, NOON, request_row, score_row, weight_rows


def test_an_empty_store_has_empty_answers(records: Records) -> None:
    """No query fails before the first request."""
    for found in (
        queries.models_summary(records),
        queries.scores_over_time(records),
        queries.recent_decisions(records, 5),
        queries.refusals(records, 5),
        queries.weights_history(records),
    ):
        assert found.num_rows == 0
        assert found.num_columns > 2


def test_models_are_summed_up(records: Records) -> None:
    """Per model; the judge's calls apart; what no model was chosen for left out."""
    records.extend(
        "requests",
        [
            request_row(1, latency_ms=10.0, input_tokens=5, output_tokens=7, cost=0.5),
            request_row(2, latency_ms=30.0, input_tokens=5, output_tokens=7, cost=0.25),
            request_row(3, served=None, status=502, chosen="model-b", latency_ms=5.0),
            request_row(4, chosen=None, served=None, status=403),
            request_row(5, surface="judge", served="judge", chosen="judge", cost=0.125),
            request_row(6, at=NOON - DAY),
        ],
    )
    records.flush()
    found = to_rows(queries.models_summary(records, since=NOON, until=NOON + 1))
    assert [(row["model"], row["judge"], row["requests"], row["errors"]) for row in found] == [
        ("model-a", False, 2, 0),
        ("model-b", False, 1, 1),
        ("judge", True, 1, 0),
    ]
    first = found[0]
    assert (first["latency_ms"], first["input_tokens"], first["output_tokens"]) == (20.0, 10, 14)
    assert first["cost"] == 0.75
    assert first["latency_ms_p95"] == 30.0
    assert found[1]["cost"] is None


def test_scores_over_time(records: Records) -> None:
    """The mean of each model and bucket, of scored rows alone."""
    records.extend(
        "scores",
        [
            score_row("r1", at=NOON, score=0.5),
            score_row("r2", at=NOON + 3599, score=1.0),
            score_row("r3", at=NOON + 3600, score=0.25),
            score_row("r4", at=NOON, score=0.75, model="model-b"),
            score_row("r5", at=NOON, score=None, outcome="failed"),
        ],
    )
    records.flush()
    found = to_rows(queries.scores_over_time(records, since=NOON, bucket=3600))
    noon = round(NOON * 1e6)
    assert [tuple(row.values()) for row in found] == [
        ("model-a", noon, 0.75, 2),
        ("model-b", noon, 0.75, 1),
        ("model-a", noon + 3_600_000_000, 0.25, 1),
    ]


def test_recent_decisions_come_with_their_score(records: Records) -> None:
    """Newest first, by model if asked; the newest score counts; the judge's calls do not."""
    records.extend("requests", [request_row(n, at=NOON + n) for n in range(4)])
    records.append("requests", request_row(8, at=NOON + 8, surface="judge"))
    records.append("requests", request_row(9, at=NOON + 9, served="model-b"))
    records.extend(
        "scores",
        [
            score_row("r3", at=NOON + 50, score=0.1, reason="early"),
            score_row("r3", at=NOON + 60, score=0.9, reason="late", score_id="another"),
            score_row("r2", at=NOON + 50, score=None, outcome="failed"),
        ],
    )
    records.flush()
    found = to_rows(queries.recent_decisions(records, 3))
    assert [(row["request_id"], row["score"], row["reason"]) for row in found] == [
        ("r9", None, None),
        ("r3", 0.9, "late"),
        ("r2", None, None),
    ]
    only = queries.recent_decisions(records, 9, model="model-a", since=NOON + 1)
    assert only["request_id"].to_pylist() == ["r3", "r2", "r1"]


def _verdict(**columns: Any) -> dict[str, Any]:
    return {"policy": "p", "rule": "r", "action": "block", "mode": "enforce", **columns}


def test_refusals_name_the_rule(records: Records) -> None:
    """The first verdict that blocked; none for what no guardrail refused."""
    seen = [
        _verdict(rule="watched", mode="observe"),
        _verdict(rule="flagged", action="flag"),
        _verdict(rule="fired"),
        _verdict(rule="second"),
    ]
    records.extend(
        "requests",
        [
            request_row(1, at=NOON + 1, status=403, verdicts=seen, surface=None),
            request_row(2, at=NOON + 2, status=429),
            request_row(3, at=NOON + 3),
            request_row(4, at=NOON + 4, status=502),
        ],
    )
    records.flush()
    found = to_rows(queries.refusals(records, 5))
    assert [(row["request_id"], row["policy"], row["rule"]) for row in found] == [
        ("r2", None, None),
        ("r1", "p", "fired"),
    ]
    assert queries.refusals(records, 5, since=NOON + 2).num_rows == 1


def test_weights_are_told_oldest_first(records: Records) -> None:
    """Every publication, by time and model."""
    records.extend("weights", weight_rows("w2", NOON + 5, b=0.2, a=0.1))
    records.extend("weights", weight_rows("w1", NOON, a=1.0))
    records.flush()
    found = queries.weights_history(records)
    assert found["weight_id"].to_pylist() == ["w1/a", "w2/a", "w2/b"]
    assert queries.weights_history(records, since=NOON + 1).num_rows == 2

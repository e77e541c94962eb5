"""The queries behind the headline numbers and the counts by rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ai_gateway.records import Records, queries
from tests.dashboard.rows import NOON, FakeClock, refusal, request, score


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """An empty store."""
    return Records.open(str(tmp_path), tmp_path / "wal", FakeClock(), background=False)


def put(records: Records, requests: list[dict[str, Any]], scores: Any = ()) -> None:
    """Rows, readable."""
    records.extend("requests", requests)
    records.extend("scores", scores)
    records.flush()


def test_totals_count_every_request_once_by_what_became_of_it(records: Records) -> None:
    """Answered, refused and failed add up to the requests; the judge's own calls are none."""
    rows = [
        request(1, latency_ms=100.0, input_tokens=10, output_tokens=5, cost=0.5),
        request(2, latency_ms=300.0, input_tokens=1, cost=0.25),
        request(3, status=502, served=None),
        request(4, surface="judge"),
        refusal(5),
    ]
    put(records, rows, [score(1, 0.5), score(2, 1.0), score(3, None, outcome="failed")])
    assert queries.totals(records) == {
        "requests": 4,
        "answered": 2,
        "cached": 0,
        "refused": 1,
        "failed": 1,
        "latency_ms_p50": pytest.approx(200.0, abs=100),
        "latency_ms_p95": pytest.approx(300.0),
        "input_tokens": 11,
        "output_tokens": 5,
        "cost": 0.75,
        "judged": 2,
        "score": 0.75,
    }


def test_totals_of_a_model_are_of_what_it_was_chosen_for(records: Records) -> None:
    """A model's numbers hold what it served, and what it failed at; not the other's."""
    rows = [request(1), request(2, served="model-b"), request(3, status=502, served=None)]
    put(records, rows, [score(1, 0.5), score(2, 1.0, model="model-b")])
    found = queries.totals(records, model="model-a")
    assert (found["requests"], found["answered"], found["failed"]) == (2, 1, 1)
    assert (found["judged"], found["score"]) == (1, 0.5)


def test_what_a_cache_answered_is_a_request_and_no_models(records: Records) -> None:
    """Nor are the gateway's own calls for embeddings requests; what they cost is a model's."""
    hit = {"selection": "cache", "chosen": None, "cost": 0.0, "latency_ms": 1.0}
    rows = [request(1, cost=0.5), request(2, **hit), request(3, surface="cache", served="e5")]
    put(records, rows, [])
    found = queries.totals(records)
    assert (found["requests"], found["answered"], found["cached"]) == (2, 2, 1)
    assert queries.totals(records, model="model-a")["requests"] == 1
    summary = {row["model"]: row for row in queries.models_summary(records).to_pylist()}
    assert set(summary) == {"model-a", "e5"}
    assert (summary["model-a"]["requests"], summary["model-a"]["cost"]) == (1, 0.5)
    assert summary["model-a"]["latency_ms"] == 100.0


def test_totals_of_nothing_are_zero_or_unknown(records: Records) -> None:
    """An empty store has counts of zero, and no mean, quantile or sum."""
    found = queries.totals(records)
    assert {name for name, value in found.items() if value == 0} == {
        "requests",
        "answered",
        "cached",
        "refused",
        "failed",
        "judged",
    }
    assert found["latency_ms_p95"] is None
    assert found["score"] is None


def test_totals_keep_to_their_time(records: Records) -> None:
    """What lies before ``since`` does not count."""
    put(records, [request(1, at=NOON - 60), request(2)])
    assert queries.totals(records, since=NOON - 1)["requests"] == 1


def test_refusals_are_counted_by_what_refused_them(records: Records) -> None:
    """The most frequent rule comes first; a refusal without a guardrail has its error."""
    rows = [refusal(1), refusal(2), refusal(3, verdicts=[], status=401, error="invalid_api_key")]
    put(records, [*rows, request(4), request(5, status=502)])
    assert queries.refusals_by_rule(records) == [
        {"policy": "bombs", "rule": "making", "error": "policy_violation", "count": 2},
        {"policy": None, "rule": None, "error": "invalid_api_key", "count": 1},
    ]


def test_the_summary_has_the_median(records: Records) -> None:
    """The median lies beside the 95th percentile."""
    put(records, [request(number, latency_ms=float(number)) for number in range(1, 100)])
    (found,) = queries.models_summary(records).to_pylist()
    assert found["latency_ms_p50"] == pytest.approx(50.0, abs=1)
    assert found["latency_ms_p95"] == pytest.approx(95.0, abs=1)

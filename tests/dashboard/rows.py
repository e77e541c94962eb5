"""Rows of records as the gateway writes them, and a clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.clocks import Moved

#: 2026-03-01 12:00 UTC.
NOON = 1_772_366_400.0


@dataclass
class FakeClock(Moved):
    """One that begins at noon."""

    time: float = NOON


def request(number: int, at: float = NOON, **columns: Any) -> dict[str, Any]:
    """An answered request."""
    row = {
        "schema_version": 1,
        "request_id": f"{number:032x}",
        "received_at": round(at * 1e6) + number,
        "route": "inference",
        "surface": "inference",
        "privacy": "full",
        "input": f"question {number}",
        "output": f"answer {number}",
        "verdicts": [],
        "selection": "policy",
        "routing": "highest-score",
        "candidates": [{"model": "model-a", "probability": 0.9, "score": 0.8}],
        "chosen": "model-a",
        "propensity": 0.9,
        "served": "model-a",
        "status": 200,
        "latency_ms": 100.0,
    }
    return {**row, **columns}


def verdict_of(policy: str, rule: str, **columns: Any) -> dict[str, Any]:
    """A finding of a guardrail that refuses; of check ``topic``."""
    row = {"policy": policy, "check": "topic", "rule": rule, "stage": "input", "score": 1.0}
    return {**row, "action": "block", "mode": "enforce", **columns}


def refusal(number: int, at: float = NOON, **columns: Any) -> dict[str, Any]:
    """A request that a guardrail refused."""
    verdict = verdict_of("bombs", "making")
    row = {
        "output": None,
        "verdicts": [verdict],
        "selection": "guardrail",
        "candidates": None,
        "chosen": None,
        "propensity": None,
        "served": None,
        "status": 403,
        "error": "policy_violation",
    }
    return request(number, at, **{**row, **columns})


def label(number: int, guardrail: str, at: float = NOON, **columns: Any) -> dict[str, Any]:
    """What a person said of the verdicts on request ``number``."""
    created_at = round(at * 1e6) + number
    row = {
        "schema_version": 1,
        "feedback_id": f"{number:032x}/{columns}/{created_at}",
        "created_at": created_at,
        "request_id": f"{number:032x}",
        "rater": "ann",
        "guardrail": guardrail,
        "rule": "making",
    }
    return {**row, **columns}


def score(number: int, value: float | None, at: float = NOON, **columns: Any) -> dict[str, Any]:
    """What the judge said of request ``number``."""
    row = {
        "schema_version": 1,
        "score_id": f"{number:032x}/1",
        "request_id": f"{number:032x}",
        "judged_at": round(at * 1e6) + number,
        "model": "model-a",
        "outcome": "scored",
        "score": value,
        "reason": f"reason {number}",
    }
    return {**row, **columns}


def weights(at: float = NOON, **scores: float) -> list[dict[str, Any]]:
    """One publication of the models' scores; ``model_a`` is ``model-a``."""
    return [
        {
            "schema_version": 1,
            "weight_id": f"{at}/{name}",
            "weights_id": str(at),
            "published_at": round(at * 1e6),
            "model": name.replace("_", "-"),
            "score": value,
            "score_low": max(0.0, value - 0.1),
            "score_high": min(1.0, value + 0.1),
            "samples": 10,
        }
        for name, value in scores.items()
    ]

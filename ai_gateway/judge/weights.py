"""From judged answers to the models' scores: what the routing goes by.

Pure functions of the scores table and the manifest, so that anybody who has both derives the same
numbers. Every model starts at 1.0. That is no observation: the first judged answer replaces it. A
model that nobody judged keeps 1.0 and so is tried, which is optimism in the face of uncertainty
(Sutton and Barto, Reinforcement Learning, 2nd ed., section 2.6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import fsum, sqrt
from typing import Any

from ai_gateway.answer.weights import UNJUDGED, Score

_Z = 1.959963984540054  # the normal distribution's 97.5 % point


def scores(
    rows: Iterable[Mapping[str, Any]], models: Sequence[str], window: int
) -> dict[str, Score]:
    """The Score of each of ``models`` from ``rows`` of the scores table, in any order.

    A model's score is the mean over its newest ``window`` scored answers, newest by
    (requested_at, request_id).
    """
    judged: dict[str, list[Mapping[str, Any]]] = {model: [] for model in models}
    for row in rows:
        if row["outcome"] == "scored" and row["model"] in judged:
            judged[row["model"]].append(row)
    return {model: _score(found, window) for model, found in judged.items()}


def _score(rows: list[Mapping[str, Any]], window: int) -> Score:
    rows.sort(key=lambda row: (row["requested_at"], row["request_id"]))
    values = [row["score"] for row in rows[-window:]]
    if not values:
        return UNJUDGED
    mean = min(1.0, fsum(values) / len(values))
    low, high = interval(mean, len(values))
    return Score(mean, low, high, len(values))


def interval(mean: float, samples: int) -> tuple[float, float]:
    """The 95 % interval of a mean of ``samples`` (at least 1) values in 0..1.

    Wilson's score interval (J. Am. Stat. Assoc. 22, 1927) with the binomial variance
    mean * (1 - mean). No distribution on 0..1 has a larger one at that mean (Bhatia and Davis,
    Am. Math. Mon. 107, 2000), so the interval is too wide rather than too narrow for scores that
    are not just 0 or 1. It stays inside 0..1 and has a width with one sample or equal ones.
    """
    square = _Z * _Z / samples
    centre = (mean + square / 2) / (1 + square)
    half = _Z * sqrt(mean * (1 - mean) / samples + square / (4 * samples)) / (1 + square)
    return max(0.0, min(mean, centre - half)), min(1.0, max(mean, centre + half))

"""What is known when Prometheus asks: the judge's scores and how far records lag behind.

Read when asked, so that requests pay nothing. Labels are names of the bundle's models.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ai_gateway.answer.weights import Weights
from ai_gateway.records import Records


class Gauges(Collector):
    """One family a fact."""

    def __init__(self, weights: Weights, records: Records) -> None:
        self._weights = weights
        self._records = records

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The figures of now."""
        yield GaugeMetricFamily(
            "ai_gateway_records_lag_seconds",
            "Age of the oldest row that no reader sees yet; 0 without any.",
            value=self._records.status()["lag"],
        )
        yield from self._scores()

    def _scores(self) -> Iterable[GaugeMetricFamily]:
        published = self._weights.current
        score = GaugeMetricFamily(
            "ai_gateway_judge_score", "A model's score by the judge, 0 to 1.", labels=["model"]
        )
        bound = GaugeMetricFamily(
            "ai_gateway_judge_score_bound",
            "The ends of the score's 95 % interval: low, high.",
            labels=["model", "bound"],
        )
        samples = GaugeMetricFamily(
            "ai_gateway_judge_samples", "Judged answers that a score rests on.", labels=["model"]
        )
        for model, found in published.scores.items():
            score.add_metric([model], found.score)
            bound.add_metric([model, "low"], found.low)
            bound.add_metric([model, "high"], found.high)
            samples.add_metric([model], found.samples)
        when = published.published_at
        yield from (score, bound, samples)
        yield GaugeMetricFamily(
            "ai_gateway_judge_published_timestamp_seconds",
            "When the scores were published; 0 before the first time.",
            value=datetime.fromisoformat(when).timestamp() if when else 0.0,
        )

"""What was counted, as rows."""

import math

import pytest

from ai_gateway.control.figures import PROCESS, TYPES, _of, quantile
from ai_gateway.metrics import Metrics


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 1.0), (0.25, 0.5), (0.75, 1.5), (0.9, 1.8), (1.0, 2.0)]
)
def test_a_quantile_lies_between_the_bounds_of_its_bucket(share, expected) -> None:
    """As Prometheus' histogram_quantile has it: observations lie evenly in a bucket."""
    assert quantile([(1.0, 2), (2.0, 4), (math.inf, 4)], share) == pytest.approx(expected)


def test_a_quantile_beyond_all_bounds_is_the_last_of_them() -> None:
    """And of nothing there is none."""
    assert quantile([(1.0, 0), (2.0, 0), (math.inf, 3)], 0.5) == 2.0
    assert quantile([(1.0, 0), (math.inf, 0)], 0.5) is None


def test_every_metric_is_of_a_type() -> None:
    """None is left out where somebody asks for all."""
    metrics = Metrics()
    metrics.answered("a", 200, 0.1)
    metrics.answered("a", 500, 0.1)
    metrics.seconds.labels("b")
    metrics.check_failures.labels("p", "c").inc()
    metrics.retries.labels("m").inc()
    metrics.reloads.labels("done").inc()
    found = list(metrics.registry.collect())
    rows = {kind: list(_of(kind, found)) for kind in [*TYPES, PROCESS]}
    told = {row["name"] for each in rows.values() for row in each}
    assert told == {metric.name for metric in found if metric.samples}
    assert [(row["name"], row["share"]) for row in rows["errors"]] == [
        ("ai_gateway_requests", 0.5),
        ("ai_gateway_guardrail_check_failures", 1.0),
    ]
    (empty,) = [row for row in rows["latency"] if row["labels"] == {"route": "b"}]
    assert (empty["count"], empty["mean"], empty["p50"]) == (0, None, None)

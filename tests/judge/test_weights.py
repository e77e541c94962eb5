"""The models' scores follow from the scores table and the manifest, and from nothing else."""

from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.answer.weights import UNJUDGED
from ai_gateway.judge.weights import interval, scores

UNIT = st.floats(min_value=0, max_value=1)


def judged(score, at=0, model="model-a", request_id="r", outcome="scored"):
    """A row of the scores table, as far as it matters here."""
    return {
        "model": model,
        "outcome": outcome,
        "score": score,
        "requested_at": at,
        "request_id": request_id,
    }


def test_every_model_starts_at_one():
    """A model that nobody judged has 1.0, the widest interval and no samples."""
    assert scores([], ["model-a", "model-b"], 200) == {"model-a": UNJUDGED, "model-b": UNJUDGED}


def test_the_first_score_replaces_the_start():
    """1.0 is where a model starts, not an answer that was judged."""
    found = scores([judged(0.2)], ["model-a", "model-b"], 200)
    assert (found["model-a"].score, found["model-a"].samples) == (0.2, 1)
    assert found["model-b"] == UNJUDGED


def test_failures_and_other_models_count_nothing():
    """Only scored answers of the manifest's own models are averaged."""
    rows = [
        judged(0.4),
        judged(None, outcome="failed"),
        judged(None, outcome="given_up"),
        judged(0.9, model="gone"),
    ]
    assert scores(rows, ["model-a"], 200)["model-a"].samples == 1


def test_the_newest_answers_count_and_ties_are_settled_by_id():
    """The window takes the latest by time of the request, then by its id."""
    rows = [judged(0.0, 1), judged(0.5, 3, request_id="a"), judged(1.0, 3, request_id="b")]
    assert scores(rows, ["model-a"], 1)["model-a"].score == 1.0
    assert scores(rows, ["model-a"], 2)["model-a"].score == 0.75


@given(st.lists(UNIT, min_size=1, max_size=30), st.integers(1, 40), st.randoms())
def test_the_order_of_rows_changes_nothing(values, window, random):
    """Anybody who has the same rows derives the same numbers, to the last bit."""
    rows = [judged(value, at, request_id=str(at)) for at, value in enumerate(values)]
    expected = scores(rows, ["model-a"], window)["model-a"]
    assert expected.score == pytest.approx(fmean(values[-window:]))
    random.shuffle(rows)
    assert scores(rows, ["model-a"], window)["model-a"] == expected


@given(UNIT, st.integers(1, 10_000))
def test_an_interval_holds_its_mean_and_stays_within_0_and_1(mean, samples):
    """Whatever the mean, the interval is one that a score can have, and is never a point."""
    low, high = interval(mean, samples)
    assert 0 <= low <= mean <= high <= 1
    assert low < high


@given(UNIT, st.integers(1, 1000))
def test_more_samples_narrow_the_interval(mean, samples):
    """What rests on more answers is known better."""
    (low, high), (lower, higher) = interval(mean, samples + 1), interval(mean, samples)
    assert high - low < higher - lower


def test_the_interval_is_wilsons():
    """8 of 10 gives the interval of the textbooks: 0.490 to 0.943."""
    assert interval(0.8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)


@pytest.mark.parametrize("samples", [5, 20, 200])
@pytest.mark.parametrize(
    ("draw", "share"),
    [
        (
            lambda random: float(random.random() < 0.9),
            0.9,
        ),  # Wilson's known dip: 0.918 at 5 samples
        (lambda random: random.betavariate(8, 2), 0.95),
        (lambda random: random.choice([0.0, 0.25, 0.5, 0.75, 1.0]), 0.95),
    ],
    ids=["right or wrong", "mostly good", "five grades"],
)
def test_the_interval_covers_the_truth_as_often_as_it_says(draw, share, samples):
    """Of 1,000 experiments 95 % hold the true mean, and nearly so if scores are just 0 or 1."""
    random = Random(samples)
    truth = fmean(draw(random) for _ in range(100_000))
    means = [min(1.0, fmean(draw(random) for _ in range(samples))) for _ in range(1000)]
    bounds = [interval(mean, samples) for mean in means]
    assert fmean(low <= truth <= high for low, high in bounds) >= share

"""Figures with intervals, held against what is known of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.scoring import Curve, Share

SCORES = st.lists(st.floats(0, 1).map(lambda score: round(score, 2)), min_size=1, max_size=30)


def test_a_share_has_wilsons_interval() -> None:
    """As published: 10 of 20 is 0.299 to 0.701, and nothing known is anything."""
    assert Share(10, 20).interval == pytest.approx((0.299, 0.701), abs=5e-4)
    assert (Share(0, 0).value, Share(0, 0).interval) == (0.0, (0.0, 1.0))
    assert Share(0, 10).interval[0] == 0


def test_the_area_is_the_share_of_pairs() -> None:
    """All pairs in order are 1, all ties a half."""
    assert Curve([0.9, 0.8], [0.1, 0.2]).auc()[0] == 1
    assert Curve([0.5], [0.5, 0.5]).auc()[0] == 0.5
    assert Curve([0.1, 0.9], [0.5]).auc()[0] == 0.5


@given(SCORES, SCORES)
def test_the_area_is_counted_right(bad, good) -> None:
    """Against all pairs one by one, within its interval."""
    pairs = [(b > g) + (b == g) / 2 for b in bad for g in good]
    area, low, high = Curve(bad, good).auc()
    assert area == pytest.approx(sum(pairs) / len(pairs))
    assert low <= area <= high


@given(SCORES, SCORES, st.sampled_from([0.0, 0.01, 0.1, 0.5]))
def test_recall_at_a_share_of_false_alarms_keeps_to_it(bad, good, alarms) -> None:
    """No threshold that keeps to it finds more."""
    recall, highest = Curve(bad, good).recall_at(alarms)
    assert sum(score > highest for score in good) <= alarms * len(good) + 1e-9
    kept = [
        sum(b > mark for b in bad)
        for mark in {-1.0, *bad, *good}
        if sum(g > mark for g in good) <= alarms * len(good) + 1e-9
    ]
    assert recall.hits == max(kept)


def test_one_threshold_gives_precision_recall_and_their_mean() -> None:
    """Counted by hand: two of three found, one false alarm."""
    curve = Curve([0.9, 0.6, 0.2], [0.7, 0.1])
    recall, alarms = curve.at(0.5)
    assert (recall.hits, recall.total, alarms.hits, alarms.total) == (2, 3, 1, 2)
    assert [curve.precision(0.5).value, curve.f1(0.5)] == pytest.approx([2 / 3, 2 / 3])


@given(SCORES, SCORES)
def test_the_mean_of_both_lies_in_its_interval(bad, good) -> None:
    """Within 0..1, and the same every time."""
    curve = Curve(bad, good)
    low, high = curve.f1_interval(0.5)
    assert 0 <= low <= curve.f1(0.5) <= high <= 1
    assert curve.f1_interval(0.5) == (low, high)


def test_the_interval_of_the_mean_shrinks_with_the_rows() -> None:
    """A hundred times the rows: a tenth of the width."""
    few, many = (Curve([0.9, 0.1] * rows, [0.1] * rows).f1_interval(0.5) for rows in (20, 2_000))
    assert few[1] - few[0] == pytest.approx(10 * (many[1] - many[0]), rel=0.1)


def test_the_curve_goes_from_nothing_to_all() -> None:
    """From the threshold that nothing reaches to the one that everything does."""
    alarms, recalls = Curve([0.9, 0.2], [0.5]).points()
    assert (alarms, recalls) == ([0, 0, 1, 1], [0, 0.5, 0.5, 1])

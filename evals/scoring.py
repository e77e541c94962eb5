"""Figures of a check that gives scores, with 95 % intervals.

Shares have Wilson's interval (Wilson 1927). The area under the ROC curve is the share of pairs of a
bad and a good text in which the bad one scores higher, ties by half (Mann and Whitney 1947), its
interval Hanley and McNeil's (1982). Recall at a share of false alarms has the threshold that the
good texts set; its interval is that of the share of bad ones above it. F1 has the middle 95 % of
what recall and false alarms give that are drawn from their posteriors under Jeffreys' prior (Brown,
Cai and DasGupta 2001), the same draws every time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ai_gateway.judge.weights import interval

_Z = 1.959964
_DRAWS = 10_000


@dataclass(frozen=True, slots=True)
class Share:
    """``hits`` of ``total``, and the interval of the share."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        """The share; 0 of nothing."""
        return self.hits / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's; (0, 1) of nothing."""
        return interval(self.value, self.total) if self.total else (0.0, 1.0)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:6.1%} ({low:.1%} to {high:.1%})"


@dataclass(frozen=True, slots=True)
class Curve:
    """The scores of bad and of good texts, each 0..1."""

    bad: Sequence[float]
    good: Sequence[float]

    def at(self, threshold: float) -> tuple[Share, Share]:
        """Recall and false alarms, where a score from ``threshold`` on counts."""
        return (
            Share(sum(score >= threshold for score in self.bad), len(self.bad)),
            Share(sum(score >= threshold for score in self.good), len(self.good)),
        )

    def precision(self, threshold: float) -> Share:
        """How many of those that count are bad."""
        recall, alarms = self.at(threshold)
        return Share(recall.hits, recall.hits + alarms.hits)

    def f1(self, threshold: float) -> float:
        """The harmonic mean of precision and recall."""
        recall, alarms = self.at(threshold)
        found = recall.total + recall.hits + alarms.hits
        return 2 * recall.hits / found if found else 0.0

    def f1_interval(self, threshold: float) -> tuple[float, float]:
        """The interval of F1 in sets of as many bad and good texts."""
        rng = np.random.default_rng(1)
        recall, alarms = (
            rng.beta(share.hits + 0.5, share.total - share.hits + 0.5, _DRAWS) * share.total
            for share in self.at(threshold)
        )
        low, high = np.quantile(2 * recall / (len(self.bad) + recall + alarms), (0.025, 0.975))
        found = self.f1(threshold)
        return min(float(low), found), max(float(high), found)

    def auc(self) -> tuple[float, float, float]:
        """The area under the ROC curve and its interval."""
        bad, good = np.asarray(self.bad), np.sort(np.asarray(self.good))
        below = np.searchsorted(good, bad, "left")
        equal = np.searchsorted(good, bad, "right") - below
        area = float((below + equal / 2).mean() / len(good))
        first, second = area / (2 - area), 2 * area**2 / (1 + area)
        variance = area * (1 - area) + (len(bad) - 1) * (first - area**2)
        variance += (len(good) - 1) * (second - area**2)
        spread = _Z * math.sqrt(max(variance, 0.0) / (len(bad) * len(good)))
        return area, max(0.0, area - spread), min(1.0, area + spread)

    def recall_at(self, alarms: float) -> tuple[Share, float]:
        """Recall where at most a share ``alarms`` of the good texts counts, and the threshold."""
        ranked = sorted(self.good, reverse=True)
        allowed = math.floor(alarms * len(ranked) + 1e-9)
        highest = ranked[allowed] if allowed < len(ranked) else -1.0
        return Share(sum(score > highest for score in self.bad), len(self.bad)), highest

    def points(self, above: float = 2.0) -> tuple[list[float], list[float]]:
        """False alarms and recall from the strictest threshold, ``above`` all, to the mildest."""
        bad, good = np.sort(np.asarray(self.bad)), np.sort(np.asarray(self.good))
        marks = np.unique([*self.bad, *self.good, above])[::-1]
        shares = [1 - np.searchsorted(kind, marks, "left") / len(kind) for kind in (good, bad)]
        return shares[0].tolist(), shares[1].tolist()

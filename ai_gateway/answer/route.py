"""Stage 2: which model answers, and with what probability.

``choose`` is a pure function of what it is given: the record of a decision holds all of it, so
that the decision can be derived again. The probability of each candidate is worked out first, and
one draw picks from them, so the recorded propensity is true by construction.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from ai_gateway.answer.weights import Score
from ai_gateway.manifest.model import Routing
from ai_gateway.resilience import Canary, mixed

#: A seed is a whole number below this; seed / SEEDS is the draw.
SEEDS: Final = 2**53


class Candidate(NamedTuple):
    """One model that a request could have gone to."""

    model: str
    probability: float
    score: Score
    excluded: str | None = None


class Choice(NamedTuple):
    """The model that a request goes to, and everything that this follows from."""

    selection: str
    chosen: str
    propensity: float
    seed: int | None
    candidates: tuple[Candidate, ...]


class Odds(NamedTuple):
    """The candidates of a draw, and the probability of each."""

    candidates: tuple[Candidate, ...]
    probabilities: tuple[float, ...]


def pinned(model: str, score: Score) -> Choice:
    """The caller named the model: nothing is drawn."""
    return Choice("pinned", model, 1.0, None, (Candidate(model, 1.0, score),))


def choose(
    models: Sequence[str],
    scores: Mapping[str, Score],
    routing: Routing,
    seed: int,
    canary: Canary | None = None,
) -> Choice:
    """One of ``models`` (at least one), drawn by ``seed``; see ``odds``."""
    return draw(odds(models, scores, routing, canary), seed)


def odds(
    models: Sequence[str],
    scores: Mapping[str, Score],
    routing: Routing,
    canary: Canary | None = None,
) -> Odds:
    """What every seed draws from.

    A ``canary`` among them has its share whatever its score, and the others share the rest.
    """
    others = models if canary is None else [each for each in models if each != canary.model]
    if canary is None or len(others) in (0, len(models)):
        probabilities = _probabilities(models, scores, routing)
    else:
        rest = dict(zip(others, _probabilities(others, scores, routing), strict=True))
        shares = mixed(rest, canary)
        probabilities = [shares[model] for model in models]
    candidates = tuple(
        Candidate(model, probability, scores[model])
        for model, probability in zip(models, probabilities, strict=True)
    )
    return Odds(candidates, tuple(probabilities))


def draw(given: Odds, seed: int) -> Choice:
    """The candidate that ``seed`` draws."""
    found = given.candidates[drawn(given.probabilities, seed / SEEDS)]
    return Choice("policy", found.model, found.probability, seed, given.candidates)


def _probabilities(
    models: Sequence[str], scores: Mapping[str, Score], routing: Routing
) -> list[float]:
    floored = [max(scores[model].score, routing.floor) for model in models]
    shares = _weighted(floored) if routing.policy == "weighted" else _highest(floored)
    spread = routing.explore / len(models)
    return [(1 - routing.explore) * share + spread for share in shares]


def _highest(scores: Sequence[float]) -> list[float]:
    best = max(scores)
    ties = scores.count(best)
    return [1 / ties if score == best else 0.0 for score in scores]


def _weighted(scores: Sequence[float]) -> list[float]:
    total = sum(scores)
    return [score / total for score in scores]


def drawn(probabilities: Sequence[float], draw: float) -> int:
    """The first whose cumulative probability exceeds ``draw``; one of probability 0 never is."""
    cumulative = list(accumulate(probabilities))
    return bisect_right(cumulative, draw * cumulative[-1])  # their sum is 1 but for rounding

"""A recorded decision, derived again from what its record holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from typing_extensions import TypedDict

from ai_gateway.answer.route import SEEDS, Choice, choose, drawn
from ai_gateway.answer.weights import Score
from ai_gateway.manifest.model import Route

Candidates = Sequence[Mapping[str, Any]]


class Derived(TypedDict):
    """What came out: ``same`` as recorded or not, and the sentence that says so.

    ``by`` is what it was derived from: ``rule`` for the scores and the route's own rule, ``draw``
    for the recorded probabilities alone, because the bundle is another one by now.
    """

    same: bool
    by: Literal["rule", "draw"]
    chosen: str
    propensity: float
    said: str


def derived(row: Mapping[str, Any], route: Route | None) -> Derived | None:
    """The choice of ``row`` (of ``requests``) once more; None where nothing was drawn.

    ``route`` is the row's, by the very manifest that the row names, or None where that is gone.
    """
    seed, candidates = row.get("seed"), row.get("candidates") or ()
    eligible = [each for each in candidates if each["excluded"] is None]
    if row.get("selection") != "policy" or seed is None or not eligible:
        return None
    if route is None:
        return _told(row, "draw", *_drawn(eligible, seed), "")
    choice = _chosen(eligible, seed, route)
    return _told(row, "rule", choice.chosen, choice.propensity, _different(choice, eligible))


def _chosen(eligible: Candidates, seed: int, route: Route) -> Choice:
    scores = {
        each["model"]: Score(each["score"], each["score_low"], each["score_high"])
        for each in eligible
    }
    return choose(list(scores), scores, route.routing, seed, route.canary)


def _drawn(eligible: Candidates, seed: int) -> tuple[str, float]:
    probabilities = [each["probability"] for each in eligible]
    index = drawn(probabilities, seed / SEEDS)
    return eligible[index]["model"], probabilities[index]


def _different(choice: Choice, eligible: Candidates) -> str:
    """The first probability that is not the recorded one."""
    for now, then in zip(choice.candidates, eligible, strict=True):
        if now.probability != then["probability"]:
            return f"{now.model} had {then['probability']:.6g}, not {now.probability:.6g}"
    return ""


def _told(
    row: Mapping[str, Any], by: Literal["rule", "draw"], chosen: str, propensity: float, other: str
) -> Derived:
    if (chosen, propensity) != (row["chosen"], row["propensity"]):
        other = other or f"{chosen} with {propensity:.6g} comes out"
    return {
        "same": not other,
        "by": by,
        "chosen": chosen,
        "propensity": propensity,
        "said": f"derived again: {other or 'same'}",
    }

"""A decision is derived again from its record, and what does not fit is said."""

import pytest
from hypothesis import given

from ai_gateway.answer.derived import derived
from ai_gateway.answer.route import choose
from ai_gateway.answer.weights import Score
from ai_gateway.manifest.model import Route, Routing
from ai_gateway.resilience import Canary
from tests.answer.test_route import ROUTING, SCORES, SEED

ROUTE = Route(path="/x", function="functions.inference:handle", auth="none")


def recorded(choice, excluded=()) -> dict:
    """The columns of a record that tell its choice."""
    candidates = [
        {
            "model": each.model,
            "probability": each.probability,
            "score": each.score.score,
            "score_low": each.score.low,
            "score_high": each.score.high,
            "excluded": each.excluded,
        }
        for each in choice.candidates
    ]
    out = [{**candidates[0], "model": name, "excluded": "away"} for name in excluded]
    return {
        "selection": choice.selection,
        "chosen": choice.chosen,
        "propensity": choice.propensity,
        "seed": choice.seed,
        "candidates": candidates + out,
    }


@given(SCORES, ROUTING, SEED)
def test_what_was_chosen_comes_out_again(scores, routing, seed) -> None:
    """By the rule and by the draw alone, whatever was excluded beside it."""
    row = recorded(choose(tuple(scores), scores, routing, seed), excluded=["z"])
    route = ROUTE.model_copy(update={"routing": routing})
    for found, by in ((derived(row, route), "rule"), (derived(row, None), "draw")):
        assert found is not None
        assert (found["same"], found["by"], found["said"]) == (True, by, "derived again: same")
        assert (found["chosen"], found["propensity"]) == (row["chosen"], row["propensity"])


def test_a_canary_is_derived_too() -> None:
    """Its share is the route's, not its score's."""
    scores, canary = {"a": Score(0.9), "b": Score(0.1)}, Canary(model="b", share=0.25)
    row = recorded(choose(("a", "b"), scores, Routing(), 1, canary))
    with_it = ROUTE.model_copy(update={"canary": canary, "routing": Routing()})
    assert derived(row, with_it)["same"]
    other = derived(row, ROUTE.model_copy(update={"routing": Routing()}))
    assert not other["same"]
    assert other["said"].startswith("derived again: a had 0.7")


def test_a_record_that_was_changed_does_not_come_out() -> None:
    """Another choice, another probability, another seed: each is said."""
    scores = {"a": Score(0.9), "b": Score(0.1)}
    row = recorded(choose(("a", "b"), scores, Routing(explore=0.5), 0))
    assert row["chosen"] == "a"
    for changed in ({"chosen": "b"}, {"propensity": 0.5}, {"seed": 2**53 - 1}):
        found = derived({**row, **changed}, None)
        assert not found["same"]
        assert "comes out" in found["said"]


@pytest.mark.parametrize(
    "changed",
    [{"selection": "pinned"}, {"selection": None}, {"seed": None}, {"candidates": None}],
)
def test_where_nothing_was_drawn_nothing_is_derived(changed) -> None:
    """A model that the caller or a policy named, a cached answer, a refusal."""
    row = recorded(choose(("a",), {"a": Score()}, Routing(), 1)._replace(selection="policy"))
    assert derived({**row, **changed}, ROUTE) is None

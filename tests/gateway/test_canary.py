"""A canary gets its share of a route's requests, and the record says so truly."""

import pytest

ROUTE = """
  - path: /inference
    function: functions.inference:handle
    auth: api-key
    guardrails: []
    routing: {models: model-a, explore: 0}
    canary: {model: model-b, share: 0.25}
"""


def test_it_is_asked_by_its_share(start) -> None:
    """Whatever the scores; each row holds both candidates and the chosen one's probability."""
    gateway = start(ROUTE)
    served = [gateway.ask("x").json["model"] for _ in range(60)]
    assert 5 <= served.count("model-b") <= 28
    for row in gateway.rows():
        found = {each["model"]: each["probability"] for each in row["candidates"]}
        assert found == {"model-a": 0.75, "model-b": 0.25}
        assert row["propensity"] == found[row["served"]]
        assert row["selection"] == "policy"


def test_a_caller_may_name_it(start) -> None:
    """It is one of the route's models, though routing does not list it."""
    assert start(ROUTE).ask("x", model_name="model-b").json["model"] == "model-b"


def test_where_it_fails_the_fallback_answers(start, simulator) -> None:
    """A canary may break: declared fallbacks hold for it too."""
    gateway = start(ROUTE.replace("0.25", "1.0") + "    fallback: {models: model-a}\n")
    simulator.faults["model-b"] = "status=500"
    assert gateway.ask("x").json["model"] == "model-a"
    (row,) = gateway.rows()
    assert (row["chosen"], row["served"], row["propensity"]) == ("model-b", "model-a", 1.0)


def test_without_named_candidates_it_has_no_more_than_its_share(start) -> None:
    """A new model starts with the best score; as a canary that moves nothing."""
    gateway = start(ROUTE.replace("    routing: {models: model-a, explore: 0}\n", ""))
    gateway.ask("x")
    (row,) = gateway.rows()
    found = {each["model"]: each["probability"] for each in row["candidates"]}
    assert found == {"model-a": 0.75, "model-b": 0.25}


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ("{model: model-z, share: 0.1}", "routes.0.canary.model: found model-z"),
        ("{model: model-a, share: 0.1}", "routes.0.canary: found no other candidate"),
        ("{model: model-b, share: 0}", "routes.0.canary.share: found 0"),
    ],
)
def test_one_that_makes_no_sense_does_not_start(start, declared, problem) -> None:
    """Its model is known, not alone, and gets something."""
    with pytest.raises(AssertionError, match=problem):
        start(ROUTE.replace("{model: model-b, share: 0.25}", declared))

"""Models: the model that a request names, and its parameters."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ai_gateway.guardrails.checks import models
from ai_gateway.guardrails.scene import Scene
from tests.guardrails.finding import weighed


def check(**keys: object) -> models.Parameters:
    """A check with these keys."""
    whole = {"name": "m", "type": "models", "stages": ["input"], "action": "block", **keys}
    return models.Parameters.model_validate(whole)


def rules(request: dict[str, Any], model: str | None = None, **keys: object) -> list[str]:
    """What is wrong with a request."""
    scene = Scene(request=request, model=model)
    return [finding.rule for finding in weighed(check(**keys), scene)]


@pytest.mark.parametrize(
    ("model", "keys", "broken"),
    [
        ("model-a", {"allowed_models": ["model-a"]}, []),
        ("Model-A", {"allowed_models": ["model-a"]}, ["not-allowed"]),
        ("model-ab", {"allowed_models": ["model-a"]}, ["not-allowed"]),
        ("model-ab", {"allowed_models": ["model-a*"]}, []),
        ("", {"allowed_models": ["model-a*"]}, ["not-allowed"]),
        (None, {"allowed_models": ["model-a*"]}, []),
        ("model-b", {"denied_models": ["model-b"]}, ["denied"]),
        ("big-1", {"allowed_models": ["*"], "denied_models": ["big*"]}, ["denied"]),
        ("\u043c\u043e\u0434\u0435\u043b\u044c", {"denied_models": ["\u043c*"]}, ["denied"]),
    ],
)
def test_models_are_named_whole_or_by_their_beginning(
    model: str | None, keys: dict[str, object], broken: list[str]
) -> None:
    """A request that names none leaves the choice to the gateway."""
    assert rules({}, model, **keys) == broken


@pytest.mark.parametrize(
    ("body", "parameters", "broken"),
    [
        ({"n": 4}, {"n": {"max": 4}}, []),
        ({"n": 5}, {"n": {"max": 4}}, ["n: max"]),
        ({"n": 4.5}, {"n": {"max": 4}}, ["n: max"]),
        ({"n": -1}, {"n": {"max": 4, "min": 1}}, ["n: min"]),
        ({}, {"n": {"max": 4, "min": 1}}, []),
        ({"n": None}, {"n": {"denied": True}}, []),
        ({"tools": []}, {"tools": {"denied": True}}, ["tools: denied"]),
        ({"n": "5"}, {"n": {"max": 4}}, ["n: no number"]),
        ({"n": True}, {"n": {"max": 4}}, ["n: no number"]),
        ({"n": [1]}, {"n": {"max": 4}}, ["n: no number"]),
        ({"n": [1, 9]}, {"n": {"max": 4}}, ["n: no number"]),
        ({"n": {"a": 1}}, {"n": {"max": 4}}, ["n: no number"]),
        ({"n": float("nan")}, {"n": {"max": 4}}, ["n: max"]),
        ({"n": 10**400}, {"n": {"max": 4.5}}, ["n: max"]),
        ({"a": {"type": "x"}}, {"a.type": {"allowed": ["text"]}}, ["a.type: allowed"]),
        ({"a": {"type": "text"}}, {"a.type": {"allowed": ["text"]}}, []),
        ({"a": "text"}, {"a.type": {"allowed": ["text"]}}, []),
        ({"a": {"type": ["text"]}}, {"a.type": {"allowed": ["text"]}}, ["a.type: allowed"]),
        ({"tools": [{"type": "function"}, {"type": "mcp"}]},
         {"tools.type": {"allowed": ["function"]}}, ["tools.type: allowed"]),
        ({"store": 1}, {"store": {"allowed": [True]}}, ["store: allowed"]),
        ({"store": False}, {"store": {"allowed": [False]}}, []),
        ({"n": 9}, {"n": {"allowed": [9, 1], "max": 5}}, ["n: max"]),
    ],
)  # fmt: skip
def test_a_parameter_holds_its_bounds(
    body: dict[str, Any], parameters: dict[str, object], broken: list[str]
) -> None:
    """A value of another type holds no bound; null is as good as left out."""
    assert rules(body, parameters=parameters) == broken


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abn"), inner),
)


@given(JSON)
def test_no_value_makes_the_check_fail(value: object) -> None:
    """Whatever stands there, it is judged."""
    bounds = {"n": {"max": 4, "min": 1, "allowed": [1, 2.5, "a", True]}, "n.a.b": {"denied": True}}
    assert isinstance(rules({"n": value}, parameters=bounds), list)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({}, "at least one of allowed_models"),
        ({"allowed_models": []}, "allowed_models"),
        ({"denied_models": ["a*b"]}, "one \\* at the end"),
        ({"parameters": {"n": {}}}, "denied: true, or some of"),
        ({"parameters": {"n": {"denied": True, "max": 3}}}, "denied: true, or some of"),
        ({"parameters": {"n": {"max": 3, "min": 4}}}, "min that is not above max"),
        ({"parameters": {"n": {"most": 3}}}, "most"),
        ({"parameters": {"n": {"max": "4"}}}, "number"),
        ({"parameters": {"a..b": {"max": 4}}}, "response_format.type"),
        ({"denied_models": ["a"], "stages": ["output"]}, "before it is answered"),
        ({"denied_models": ["a"], "action": "redact"}, "no place to redact"),
    ],
)
def test_keys_that_make_no_sense_are_told(keys: dict[str, object], told: str) -> None:
    """At start, with what would be right."""
    with pytest.raises(ValidationError, match=told):
        check(**keys)


def test_a_long_request_body_is_judged_at_once() -> None:
    """A list of 100,000 items takes less than a second of CPU time."""
    start = time.process_time()
    request = {"tools": [{"type": "function"}] * 100_000}
    assert rules(request, parameters={"tools.type": {"allowed": ["x"]}}) == ["tools.type: allowed"]
    assert time.process_time() - start < 1

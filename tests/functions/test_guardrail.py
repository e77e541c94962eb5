"""POST /guardrail: the verdict alone."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from ai_gateway.contract import Context, Event
from ai_gateway.errors import BadRequest
from ai_gateway.guardrails.engine import Guardrails, load
from ai_gateway.guardrails.policy import Policy
from ai_gateway.manifest.model import Route
from functions.guardrail import handle

CHECK = {"name": "words", "type": "phrases", "stages": ["input"], "action": "block"}
POLICIES = Guardrails(
    [
        Policy.model_validate(
            {"version": 1, "name": name, "checks": [{**CHECK, "phrases": [phrase]}]}
        )
        for name, phrase in {"one": "red", "two": "green"}.items()
    ]
)


def context(policies: Guardrails) -> Context:
    """One that has policies and nothing else: no model can be asked."""
    nothing: Any = None
    given = {field.name: nothing for field in fields(Context)}
    return Context(**given | {"policies": policies})


def ask(
    body: dict[str, Any], guardrails: tuple[str, ...] | None = None, policies: Guardrails = POLICIES
) -> Any:
    """The reply's body, for a route with these guardrails."""
    route = Route(
        name="guardrail",
        path="/guardrail",
        function="functions.guardrail:handle",
        guardrails=guardrails,
    )
    event = Event("r", route, "POST", route.path, 0.0, body=json.dumps(body).encode())
    return handle(event, context(policies)).body


def test_a_refusal_is_explained() -> None:
    """With policy, check, rule, score and place, and the text as it was."""
    assert ask({"inputs": "so RED"}) == {
        "allowed": False,
        "action": "block",
        "output": "so RED",
        "scores": {"words": 1.0},
        "verdicts": [
            {
                "policy": "one",
                "check": "words",
                "rule": "red",
                "action": "block",
                "score": 1.0,
                "start": 3,
                "end": 6,
            }
        ],
    }


def test_what_passes_says_so() -> None:
    """No verdicts, and each check's score."""
    reply = ask({"inputs": "blue"})
    assert (reply["allowed"], reply["action"], reply["verdicts"]) == (True, "allow", [])


def test_policies_are_the_callers_or_the_routes() -> None:
    """All without either; an empty list asks none."""
    assert not ask({"inputs": "green"})["allowed"]
    assert ask({"inputs": "green"}, guardrails=("one",))["allowed"]
    assert not ask({"inputs": "green", "policies": ["two"]}, guardrails=("one",))["allowed"]
    assert ask({"inputs": "green", "policies": []})["allowed"]


def test_a_stage_has_its_own_checks() -> None:
    """A check of requests says nothing of an answer."""
    assert ask({"inputs": "red", "stage": "output"})["allowed"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"inputs": "x", "policies": ["one", "three"]},
            "There is no policy 'three'; there are: one, two.",
        ),
        (
            {"inputs": "x", "stage": "thought"},
            "stage: Input should be 'input', 'system', 'tool' or 'output'",
        ),
        ({}, "inputs: Field required"),
        ({"inputs": 1}, "inputs: Input should be a valid string"),
        ({"inputs": "x", "model": "m"}, "model: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_question_is_told_what_is_wrong(body: dict[str, Any], message: str) -> None:
    """Each a bad request that says what was found."""
    with pytest.raises(BadRequest, match=message[:20]) as error:
        ask(body)
    assert error.value.message.startswith(message)


def test_a_bundle_without_policies_says_so() -> None:
    """There is nothing to name, and nothing is refused."""
    none, _ = load(Path("no-such-folder"))
    assert ask({"inputs": "red"}, policies=none)["allowed"]
    with pytest.raises(BadRequest, match="there are: none"):
        ask({"inputs": "red", "policies": ["one"]}, policies=none)

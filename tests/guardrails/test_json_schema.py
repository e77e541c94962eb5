"""JSON Schema: an answer that must have a shape."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ai_gateway.guardrails.checks import json_schema
from ai_gateway.guardrails.scene import Scene, Text
from tests.guardrails.finding import weighed

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[A-Z]"},
        "age": {"type": "integer", "minimum": 0},
    },
    "required": ["name"],
    "additionalProperties": False,
}


def check(schema: object = PERSON, **keys: object) -> json_schema.Parameters:
    """A check of this shape."""
    whole = {
        "name": "shape",
        "type": "json_schema",
        "stages": ["output"],
        "action": "block",
        "schema": schema,
        **keys,
    }
    return json_schema.Parameters.model_validate(whole)


def rules(answer: str, schema: object = PERSON, **keys: object) -> list[str]:
    """What is wrong with an answer."""
    scene = Scene([Text("a question", "input"), Text(answer, "output"), Text("why", "output")])
    return [finding.rule for finding in weighed(check(schema, **keys), scene, "output")]


@pytest.mark.parametrize(
    ("answer", "keys", "wrong"),
    [
        ('{"name": "Ada", "age": 36}', {}, []),
        (' {"name": "\u00c9va"}\n', {}, ["/properties/name/pattern"]),
        ('{"name": "Ada", "age": -1}', {}, ["/properties/age/minimum"]),
        ("{}", {}, ["/required"]),
        ('{"name": "Ada", "x": 1}', {}, ["/additionalProperties"]),
        ("[]", {}, ["/type"]),
        ("", {}, ["not-json"]),
        ("Sure! {}", {}, ["not-json"]),
        ('{"name": "Ada"} {}', {}, ["not-json"]),
        ('{"name": "Ada", "name": "Bob"}', {}, ["not-json"]),
        ('{"name": NaN}', {}, ["not-json"]),
        ('{"name": "\ud800"}', {}, ["not-json"]),
        ("[" * 100_000, {}, ["not-json"]),
        ("[" * 100 + "]" * 100, {}, ["not-json"]),
        ('{"name": "Ada"}', {"max_characters": 5}, ["too-long"]),
        ('```json\n{"name": "Ada"}\n```', {}, ["not-json"]),
        ('```json\n{"name": "Ada"}\n```', {"fenced": True}, []),
        ('\n```\n{"name": "Ada"}```\n', {"fenced": True}, []),
        ('{"name": "Ada"}', {"fenced": True}, []),
        ('Here:\n```json\n{"name": "Ada"}\n```', {"fenced": True}, ["not-json"]),
        ("```json", {"fenced": True}, ["not-json"]),
        ("```\n```", {"fenced": True}, ["not-json"]),
    ],
)
def test_an_answer_is_json_of_that_shape(
    answer: str, keys: dict[str, object], wrong: list[str]
) -> None:
    """The rule says where in the schema the broken keyword is, and nothing of the answer."""
    assert rules(answer, **keys) == wrong


def test_only_the_answers_own_text_is_judged() -> None:
    """What stands behind it (reasoning) need not be JSON; where there is none, nothing is wrong."""
    assert rules('{"name": "Ada"}') == []
    assert weighed(check(), Scene([Text("x", "input")]), "output") == []


@given(st.dictionaries(st.text(max_size=5), st.integers(-9, 9)), st.text(max_size=20))
def test_any_answer_is_judged(value: dict[str, int], text: str) -> None:
    """JSON of the shape passes, and no text makes the check fail."""
    shape = {"type": "object", "additionalProperties": {"type": "integer"}}
    assert rules(json.dumps(value), shape) == []
    assert isinstance(rules(text, shape, fenced=True), list)


def test_a_false_schema_lets_nothing_pass() -> None:
    """Wherever it stands."""
    assert rules('{"a": 1}', {"properties": {"a": False}}) == ["/properties/a"]
    assert rules("1", {"not": {}}) == ["/not"]


def test_a_schema_may_refer_to_itself() -> None:
    """Without an end even: that is no reason to crash."""
    assert rules('{"a": {"a": 1}}', {"type": "object", "properties": {"a": {"$ref": "#"}}}) == [
        "/type"
    ]
    assert rules("1", {"$ref": "#"}) == []


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "strng"}, "/type"),
        ({"pattern": "(?=a)"}, "regex"),
        ({"pattern": "^(a{1000}){1000}$"}, "regex"),
        ({"$ref": "https://localhost:9/schema"}, "Retrieval is disabled"),
        ({"$ref": "file:///etc/hostname"}, "Retrieval is disabled"),
        ({"$ref": "#/nowhere"}, "nowhere"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "without \\$schema"),
        ({"const": {1: 2}}, "str"),
        ([], "dictionary"),
        (None, "dictionary"),
    ],
)
def test_a_schema_that_is_none_is_told(schema: object, told: str) -> None:
    """At start; what it refers to is never fetched, and its patterns are of the linear kind."""
    with pytest.raises(ValidationError, match=told):
        check(schema)


def test_it_is_for_answers() -> None:
    """A stage of the request has no JSON of its own."""
    with pytest.raises(ValidationError, match=r"stages: \[output\]"):
        check(stages=["input", "output"])


def test_no_pattern_can_hang() -> None:
    """One that backtracks elsewhere, on a text of 100,000 characters."""
    start = time.process_time()
    answer = json.dumps("a" * 100_000 + "!")
    assert rules(answer, {"type": "string", "pattern": "^(a+)+$"}) == ["/pattern"]
    assert time.process_time() - start < 1


def test_a_long_answer_is_judged_at_once() -> None:
    """1 MB takes less than a second of CPU time."""
    answer = json.dumps([{"name": "A", "age": number} for number in range(28_000)])
    start = time.process_time()
    assert rules(answer, {"type": "array", "items": PERSON, "uniqueItems": True}) == []
    assert time.process_time() - start < 1

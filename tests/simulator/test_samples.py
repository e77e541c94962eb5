"""Values made from a JSON schema."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.simulator.samples import sample

TREE: dict[str, Any] = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            },
        }
    },
}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"const": 3}, 3),
        ({"type": "string", "default": "x"}, "x"),
        ({"enum": ["only"]}, "only"),
        ({"type": "null"}, None),
        ({"type": ["null", "string"]}, "Paris"),
        ({"type": ["null"]}, None),
        ({"type": "string"}, "Paris"),
        ({}, "Paris"),
        (True, "Paris"),
        ({"type": "string", "format": "date"}, "2026-01-01"),
        ({"type": "string", "minLength": 7}, "Parisxx"),
        ({"type": "string", "maxLength": 2}, "Pa"),
        ({"type": "integer", "minimum": 5, "maximum": 5}, 5),
        ({"type": "integer", "exclusiveMinimum": 5, "exclusiveMaximum": 7}, 6),
        ({"type": "array", "items": {"const": 1}, "minItems": 2}, [1, 1]),
        ({"type": "array", "maxItems": 0}, []),
        ({"properties": {"a": {"const": 1}}}, {"a": 1}),
        ({"oneOf": [{"const": 1}, {"const": 2}]}, 1),
        ({"$ref": "#/missing/there"}, "Paris"),
        ({"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]},
         {"a": 1, "b": 2}),
        ({"allOf": [{"type": "integer"}, {"minimum": 4, "maximum": 4}]}, 4),
    ],
)  # fmt: skip
def test_each_keyword(schema: Any, value: object) -> None:
    """Every keyword that is read has its effect."""
    assert sample(schema, "How big is Paris?", 1) == value


@pytest.mark.parametrize(
    ("about", "word"), [("how big is it", "big"), ("", "name"), ("Weather in Rome", "Rome")]
)
def test_strings_take_a_word_of_the_question(about: str, word: str) -> None:
    """A name that it mentions, else its last word of meaning, else the field's own name."""
    assert sample({"properties": {"name": {}}}, about) == {"name": word}


def test_a_text_about_nothing() -> None:
    """Without any word the string is a word all the same."""
    assert sample({"type": "string"}, "") == "text"


def test_a_schema_that_refers_to_itself_ends() -> None:
    """Recursion stops at some depth, with empty containers."""
    found = sample(TREE, "x")
    assert found["children"][0]["next"]


def test_a_reference_to_itself_ends() -> None:
    """A reference that leads nowhere but to itself gives a value of any kind."""
    sample({"$ref": "#"}, "x")


@given(low=st.integers(-1000, 1000), span=st.integers(0, 1000), key=st.integers())
def test_numbers_stay_within_bounds(low: int, span: int, key: int) -> None:
    """Integers and numbers lie within their bounds, the same for the same key."""
    bounds = {"minimum": low, "maximum": low + span}
    for kind in ("integer", "number"):
        value = sample({"type": kind, **bounds}, "x", key)
        assert low <= value <= low + span
        assert sample({"type": kind, **bounds}, "x", key) == value
    assert isinstance(sample({"type": "boolean"}, "x", key), bool)

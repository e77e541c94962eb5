"""Length: bounds on texts."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ai_gateway.guardrails.checks import length
from ai_gateway.guardrails.scene import Scene, Text
from tests.guardrails.finding import weighed


def check(**bounds: object) -> length.Parameters:
    """A check of these bounds."""
    return length.Parameters(
        name="size", type="length", stages=("input",), action="block", **bounds
    )


def rules(texts: list[str], **bounds: object) -> list[str]:
    """The bounds that texts of a request do not hold."""
    scene = Scene([*(Text(text, "input") for text in texts), Text("x" * 500, "tool")])
    return [finding.rule for finding in weighed(check(**bounds), scene)]


@pytest.mark.parametrize(
    ("texts", "bounds", "broken"),
    [
        (["12345"], {"max_characters": 5}, []),
        (["123456"], {"max_characters": 5}, ["max_characters"]),
        (["\u00e9" * 5, "\U0001f600" * 5], {"max_characters": 5}, []),
        (["", "1234"], {"min_characters": 1}, ["min_characters"]),
        ([""], {"min_characters": 1, "max_characters": 9}, ["min_characters"]),
        (["12345", "1234"], {"max_characters": 8}, []),
        (["12345", "1234"], {"max_characters": 8, "together": True}, ["max_characters"]),
        (["12", "", "3"], {"min_characters": 3, "together": True}, []),
        (["123456", "1234567"], {"max_characters": 5}, ["max_characters"]),
        (["1" * 40], {"max_tokens": 17}, []),
        (["1" * 40], {"max_tokens": 16}, ["max_tokens"]),
        (["1" * 40, "1" * 40], {"max_tokens": 17}, []),
        (["1" * 40, "2" * 40], {"max_tokens": 30, "together": True}, ["max_tokens"]),
        (["\u4e2d" * 40], {"max_tokens": 36}, ["max_tokens"]),
    ],
)
def test_bounds_hold_for_each_text_or_for_all_together(
    texts: list[str], bounds: dict[str, object], broken: list[str]
) -> None:
    """Only the stage's own texts count, and each broken bound is told once."""
    assert rules(texts, **bounds) == broken


def test_a_message_in_parts_counts_once() -> None:
    """The text that puts the parts before it together is not added to them."""
    assert rules(["12", "34", "1234"], max_characters=4, together=True) == []


@given(st.text(max_size=300), st.integers(1, 300))
def test_any_text_is_measured_in_code_points(text: str, most: int) -> None:
    """A text is too long exactly where it has more characters than the bound."""
    assert bool(rules([text], max_characters=most)) == (len(text) > most)


def test_a_lone_surrogate_is_a_character() -> None:
    """What no encoding has is measured, too."""
    assert rules(["\ud800" * 3], max_characters=2, max_tokens=1) == ["max_characters", "max_tokens"]


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        ({}, "at least one of max_characters"),
        ({"together": True}, "at least one of max_characters"),
        ({"max_characters": 0}, "max_characters"),
        ({"max_characters": 3, "min_characters": 4}, "not above max_characters"),
        ({"max_words": 3}, "max_words"),
    ],
)
def test_bounds_that_make_no_sense_are_told(bounds: dict[str, object], told: str) -> None:
    """At start, with what would be right."""
    with pytest.raises(ValidationError, match=told):
        check(**bounds)


def test_a_long_text_is_measured_at_once() -> None:
    """1 MB takes less than a second of CPU time."""
    start = time.process_time()
    assert rules(["\u00e9" * 1_000_000], max_characters=9, max_tokens=9, together=True)
    assert time.process_time() - start < 1

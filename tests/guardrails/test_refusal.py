"""Refusal: a model that declined."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ai_gateway.guardrails.checks import refusal
from tests.guardrails.finding import findings


def check(**keys: object) -> refusal.Parameters:
    """A check with these keys."""
    whole = {"name": "r", "type": "refusal", "stages": ["output"], "action": "flag", **keys}
    return refusal.Parameters.model_validate(whole)


def score(answer: str, **keys: object) -> float:
    """How sure it is that the answer is a refusal."""
    return max((finding.score for finding in findings(check(**keys), answer)), default=0.0)


@pytest.mark.parametrize(
    "answer",
    [
        "I can't help with that.",
        "I\u2019m sorry, but I can\u2019t assist with that request.",
        "I'm sorry, I cannot provide instructions for this.",
        "I am unable to fulfil your request.",
        "Unfortunately, I'm not able to help you with this one.",
        "I won't write that for you.",
        "As an AI language model, I cannot create content of that kind.",
        "I must respectfully decline; I have to decline.",
        "Sorry, I can't do that.",
        "We are unable to offer advice on this.",
        "That request goes against my guidelines.",
        "I CANNOT COMPLY.",
    ],
)
def test_an_answer_that_declines_is_found(answer: str) -> None:
    """With a score over the default threshold, at the words that say so."""
    (finding,) = findings(check(), answer)
    assert finding.rule == "declined"
    assert finding.score >= 0.5
    assert 0 <= finding.start < finding.end <= len(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Sure! Here is how it goes.",
        "I can't believe how well this works, and I cannot recommend it enough.",
        "I will not be able to attend the meeting on Thursday.",
        "You can't provide more than one file, and it cannot help to try.",
        "I'm sorry to hear that! Here is what you can do.",
        "As an AI, I have no favourite colour, but blue suits most rooms.",
        "Unfortunately, the train was late.",
        "\u0130\u015fte cevap. " * 20,
        "word " * 100 + "I can't help with that.",
    ],
)
def test_an_answer_that_answers_is_not(answer: str) -> None:
    """A word of regret alone is a hint, below the threshold."""
    assert score(answer) < 0.5


def test_the_score_says_how_sure_it_is() -> None:
    """Less where it stands later, and a hint least."""
    clear, late, hint = map(
        score, ("I can't help with that.", "word " * 25 + "I can't help with that.", "I'm sorry.")
    )
    assert clear > late > hint > 0


def test_an_operator_may_add_phrases() -> None:
    """In another language; ``within`` says how far an answer is read."""
    answer = "Leider. Dabei kann ich nicht helfen."
    assert score(answer) == 0
    assert score(answer, phrases=["kann ich nicht helfen"]) > 0.5
    assert score("a b c d e f " + answer, phrases=["kann ich nicht helfen"], within=8) == 0


@given(st.text(max_size=200))
def test_any_answer_is_judged(answer: str) -> None:
    """At most one finding, with a score from 0 to 1."""
    found = findings(check(), answer)
    assert len(found) <= 1
    assert all(0 < finding.score <= 1 for finding in found)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"stages": ["input"]}, r"stages: \[output\]"),
        ({"action": "redact"}, "no place to redact"),
        ({"within": 2}, "within"),
        ({"phrases": ["!"]}, "a letter or a digit"),
    ],
)
def test_keys_that_make_no_sense_are_told(keys: dict[str, object], told: str) -> None:
    """At start, with what would be right."""
    with pytest.raises(ValidationError, match=told):
        check(**keys)


def test_a_long_answer_is_judged_at_once() -> None:
    """1 MB takes less than a second of CPU time."""
    parameters = check()
    start = time.process_time()
    findings(parameters, "I can't " * 125_000)
    assert time.process_time() - start < 1

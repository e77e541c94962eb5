"""The forms of English words that requests use."""

import pytest

from ai_gateway.guardrails.inflect import forms


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("make", {"make", "makes", "making"}),
        ("build", {"build", "builds", "building"}),
        ("get", {"get", "gets", "getting", "geting"}),
        ("buy", {"buy", "buys", "buying"}),
        ("carry", {"carry", "carries", "carrying"}),
        ("smash", {"smash", "smashes", "smashing"}),
        ("see", {"see", "sees", "seeing"}),
        ("bomb", {"bomb", "bombs", "bombing"}),
        ("of", {"of"}),
        ("how", {"how"}),
        ("c4", {"c4"}),
        ("c-4", {"c-4"}),
    ],
)
def test_a_word_has_its_forms(phrase: str, expected: set[str]) -> None:
    """Base, -s and -ing; words without such forms stay alone."""
    assert forms(phrase) == expected


def test_a_phrase_is_inflected_at_either_end() -> None:
    """A verb leads its phrase, a noun ends it."""
    assert forms("set off") == {
        "set off",
        "sets off",
        "setting off",
        "seting off",
        "set offs",
        "set offing",
    }
    assert "pipe bombs" in forms("pipe bomb")

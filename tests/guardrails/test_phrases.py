"""Phrases: fixed words in any disguise."""

from ai_gateway.guardrails.check import Finding
from ai_gateway.guardrails.checks import phrases
from tests.guardrails.finding import findings


def find(text: str, *wanted: str) -> list[Finding]:
    """What a check for the phrases finds in ``text``."""
    parameters = phrases.Parameters(
        name="words", type="phrases", stages=("input",), action="block", phrases=wanted
    )
    return findings(parameters, text)


def test_a_phrase_is_found_once_where_it_first_stands() -> None:
    """The rule is the phrase as the policy writes it."""
    found = find("The project T1TAN, project titan!", "Project Titan", "titan")
    assert [(f.rule, f.score, f.start, f.end) for f in found] == [
        ("Project Titan", 1.0, 4, 17),
        ("titan", 1.0, 12, 17),
    ]


def test_only_whole_words_count() -> None:
    """A word in another one, or half of a phrase, is not the phrase."""
    assert find("titanic projects, a project of a titan", "project titan", "tit an") == []


def test_phrases_of_other_scripts_are_found() -> None:
    """Cyrillic words by themselves, ideographs within a sentence that has no spaces."""
    assert find(
        "\u042d\u0442\u043e \u0421\u0415\u041a\u0420\u0415\u0422.",
        "\u0441\u0435\u043a\u0440\u0435\u0442",
    )
    assert find("\u5982\u4f55\u5236\u9020\u70b8\u5f39", "\u5236\u9020\u70b8\u5f39")


def test_what_is_redacted_is_found_wherever_it_stands() -> None:
    """A second place would leave otherwise."""
    parameters = phrases.Parameters(
        name="words", type="phrases", stages=("input",), action="redact", phrases=("titan",)
    )
    found = findings(parameters, "Titan, oh T1tan!")
    assert [(f.start, f.end) for f in found] == [(0, 5), (10, 15)]

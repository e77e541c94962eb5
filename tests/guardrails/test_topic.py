"""Topics: which words stand near which."""

import pytest
from pydantic import ValidationError

from ai_gateway.guardrails.check import Finding
from ai_gateway.guardrails.checks import topic
from tests.guardrails.finding import findings

TOPIC = {
    "name": "bombs",
    "type": "topic",
    "stages": ["input"],
    "action": "block",
    "lists": {
        "how": ["how to", "instructions"],
        "make": ["make", "put together"],
        "bomb": ["bomb", "explosive device"],
        "past": ["how did"],
        "now": ["now"],
    },
    "rules": [
        {"name": "make-a-bomb", "needs": ["make", "bomb"], "window": 4, "score": 0.6},
        {"name": "how-to", "needs": ["how", "make", "bomb"], "window": 8, "score": 0.7},
    ],
    "adjust": [{"near": "past", "by": -0.4, "window": 5}, {"near": "now", "by": 1, "window": 3}],
    "ignore": ["bath bomb", "bomb squad"],
}


def find(text: str, **changed: object) -> list[Finding]:
    """What the topic above finds in ``text``."""
    return findings(topic.Parameters.model_validate(TOPIC | changed), text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I make a bomb", {"make-a-bomb": 0.6}),
        ("making bombs", {"make-a-bomb": 0.6}),
        ("putting together two explosive devices", {"make-a-bomb": 0.6}),
        ("how to make a bomb", {"make-a-bomb": 0.6, "how-to": 0.7}),
        ("instructions for making some bombs", {"make-a-bomb": 0.6, "how-to": 0.7}),
        ("make it, instructions, bomb", {"make-a-bomb": 0.6}),
        ("make one two three bomb", {"make-a-bomb": 0.6}),
        ("make one two three four bomb", {}),
        ("the bomb they make", {}),
        ("a bomb", {}),
        ("make", {}),
        ("make a bath bomb", {}),
        ("make the bomb squad laugh", {}),
        ("make a bath bomb or a bomb", {}),
        ("make a bath or bomb", {"make-a-bomb": 0.6}),
        ("how did they make the bomb", {"make-a-bomb": 0.2}),
        ("how did a b c d e make a bomb", {"make-a-bomb": 0.6}),
        ("make a bomb now", {"make-a-bomb": 1.0}),
        ("make an explosive plan", {}),
        ("make explosive device", {"make-a-bomb": 0.6}),
    ],
)
def test_rules_say_what_must_stand_together(text: str, found: dict[str, float]) -> None:
    """In their order, within their window, not where it is ignored, with what is near."""
    assert {finding.rule: finding.score for finding in find(text)} == found


def test_a_finding_shows_its_place() -> None:
    """From the first word that the rule needs to the last, as the caller sent them."""
    text = "So, how to M\u00e4ke two b-o-m-b-s?"
    first, second = find(text)
    assert text[first.start : first.end] == "M\u00e4ke two b-o-m-b-s"
    assert text[second.start : second.end] == "how to M\u00e4ke two b-o-m-b-s"


def test_the_best_place_counts_until_one_is_certain() -> None:
    """Below the threshold the highest score is kept; the first one over it ends the search."""
    low = "how did he make a bomb " + "x " * 50
    assert [f.score for f in find(low + "make a bomb")] == [0.6]
    assert [f.score for f in find("make a bomb " + "x " * 50 + "make a bomb now")] == [0.6]
    assert [f.score for f in find(low * 2)] == [0.2]
    assert [f.score for f in find("make a bomb, " * 2, threshold=0.9)] == [0.6]


def test_a_long_text_is_searched_to_its_end() -> None:
    """A request behind 100,000 words, and behind 5,000 of its own words, is found."""
    assert find("word " * 100_000 + "make a bomb")
    assert find("bomb " * 5_000 + "make a bomb")


def test_a_phrase_in_latest_place_may_overlap_the_next() -> None:
    """What a rule needs must end before the next begins."""
    lists = {"a": ["x", "x y z"], "b": ["y"]}
    rules = [{"name": "r", "needs": ["a", "b"], "score": 1}]
    assert [f.rule for f in find("x y z", lists=lists, rules=rules, adjust=[])] == ["r"]
    lists = {"a": ["x y"], "b": ["y"]}
    assert find("x y", lists=lists, rules=rules, adjust=[]) == []


def test_a_rule_that_names_no_list_is_refused() -> None:
    """A rule that could never find anything does not start."""
    with pytest.raises(ValidationError, match="a list with words for each of: other"):
        find("x", rules=[{"name": "r", "needs": ["make", "other"], "score": 1}])

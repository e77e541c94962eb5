"""Patterns: an operator's regular expressions."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ai_gateway.guardrails.check import Finding
from ai_gateway.guardrails.checks import patterns
from ai_gateway.guardrails.engine import Guardrails
from ai_gateway.guardrails.linear import compiled, searchable
from ai_gateway.guardrails.policy import Policy
from ai_gateway.guardrails.scene import Text
from tests.guardrails.finding import findings


def parameters(*wanted: dict[str, object], **changed: object) -> patterns.Parameters:
    """A check for the patterns."""
    fields = {"name": "numbers", "type": "patterns", "stages": ("input",), "action": "block"}
    return patterns.Parameters.model_validate({**fields, "patterns": wanted, **changed})


def pattern(regex: str, **changed: object) -> dict[str, object]:
    """A pattern named number."""
    return {"name": "number", "regex": regex, **changed}


def find(text: str, regex: str, **changed: object) -> list[str]:
    """The pieces of ``text`` that a check for one pattern finds."""
    found = findings(parameters(pattern(regex), **changed), text)
    return [text[finding.start : finding.end] for finding in found]


def test_every_match_is_found() -> None:
    """With the pattern's name, score and kind, each pattern by itself."""
    wanted = [
        pattern("en-[0-9]+", score=0.7, kind="EMPLOYEE_NUMBER"),
        {"name": "short", "regex": r"\bEN\b", "ignore_case": False},
    ]
    assert findings(parameters(*wanted), "EN-12, en-3: EN and en") == [
        Finding("number", 0.7, 0, 5, "EMPLOYEE_NUMBER"),
        Finding("number", 0.7, 7, 11, "EMPLOYEE_NUMBER"),
        Finding("short", 1.0, 0, 2),
        Finding("short", 1.0, 13, 15),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("caf\u00e9 \U0001f600 en-7 \u70b8", ["en-7"]),
        ("\ud800\udfff en-7", ["en-7"]),
        ("\x00en-7\x00", ["en-7"]),
        ("en-\u0667", []),
        ("\uff25n-7", []),
    ],
)
def test_places_are_characters_of_any_text(text: str, found: list[str]) -> None:
    """Also beside other scripts, emoji and halves of characters."""
    assert find(text, "en-[0-9]") == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("so \uff25\uff2e-7\u200b7!", ["\uff25\uff2e-7\u200b7"]),
        ("\u0415N-7", ["\u0415N-7"]),
        ("\u70b8EN-7\u5f39", ["EN-7"]),
        ("\ud800 e\u0301n-7", ["e\u0301n-7"]),
    ],
)
def test_a_folded_text_is_matched_without_its_disguise(text: str, found: list[str]) -> None:
    """The place is that of what was sent; without ``folded`` none of it is found."""
    assert find(text, "en-[0-9]+", folded=True) == found
    assert text.isascii() or text.startswith("\u70b8") or find(text, "^.{0,3}en-[0-9]+$") == []


@pytest.mark.parametrize(
    ("regex", "why"),
    [
        ("(", r"that RE2 reads \(missing \): \(\)"),
        ("a(?=b)", r"that RE2 reads \(invalid perl operator: \(\?=\)"),
        (r"(a)\1", r"that RE2 reads \(invalid escape sequence: \\1\)"),
        ("(a{1000}){1000}", "that RE2 reads"),
        (r"(?:\pL{900}){1,1}\pL{900}\pL{900}\pL{900}", "that RE2 reads .pattern too large"),
        ("a*", "does not match an empty text"),
        ("\ud800", "unicode string"),
        ("", "at least 1 character"),
        ("a" * 1_001, "at most 1000 characters"),
    ],
)
def test_a_wrong_expression_is_told(regex: str, why: str) -> None:
    """What RE2 says of it; one that would match everywhere is refused as well."""
    with pytest.raises(ValidationError, match=why):
        parameters(pattern(regex))


@pytest.mark.parametrize("changed", [{"kind": "employee"}, {"score": 0}, {"flags": "i"}])
def test_a_pattern_is_closed(changed: dict[str, object]) -> None:
    """Kinds are in upper case, scores above 0, and other keys there are none."""
    with pytest.raises(ValidationError):
        parameters(pattern("a", **changed))


def test_there_are_not_too_many() -> None:
    """What a check takes is bounded."""
    with pytest.raises(ValidationError, match="at most 200"):
        parameters(*[pattern("a")] * 201)


def test_an_empty_match_is_none() -> None:
    """It has no place, and no place would be the whole text."""
    assert find("one two", r"\b|two") == []
    assert find("one two", r"\bx?two") == ["two"]


def test_very_many_matches_are_all_covered() -> None:
    """The last finding takes what comes behind, so that a redaction leaves nothing."""
    text = "7 " * 10_005
    found = findings(parameters(pattern("[0-9]")), text)
    assert len(found) == 10_001
    assert (found[-1].start, found[-1].end) == (20_000, len(text))
    assert len(findings(parameters(pattern("[0-9]")), text[:20_000])) == 10_000


def test_what_is_encoded_is_matched_too() -> None:
    """A number in base64 is found, and redacted with all of its run."""
    check = parameters(pattern("en-[0-9]+"), action="redact").model_dump()
    policy = Policy.model_validate({"version": 1, "name": "p", "checks": [check]})
    text = "number: RU4tMTIzNDU= ok"
    found = Guardrails([policy]).inspect([Text(text, "input")])
    assert [(r.start, r.end) for r in found.redactions] == [(8, 20)]


@given(st.text(st.characters()), st.booleans())
def test_any_text_is_matched(text: str, folded: bool) -> None:  # noqa: FBT001 - hypothesis hands it in
    """No text crashes; places are in order, and none is empty."""
    check = parameters(pattern(r"\w+|\pS"), folded=folded)
    places = [(finding.start, finding.end) for finding in findings(check, text)]
    assert places == sorted(places)
    assert all(0 <= start < end <= len(text) for start, end in places)


@given(st.text(st.characters(categories=["Cs", "Lu", "So"])))
def test_a_searchable_text_has_its_length(text: str) -> None:
    """RE2 takes it, and nothing but halves of characters is another character."""
    read = searchable(text)
    assert len(read) == len(text)
    assert [a for a, b in zip(text, read, strict=True) if a != b] == [
        char for char in text if "\ud800" <= char <= "\udfff"
    ]
    compiled("x").search(read)


def test_time_grows_with_the_length_alone() -> None:
    """Also with an expression that other engines need exponential time for."""
    check = parameters(pattern("(a+)+b"))
    times = []
    for size in (100_000, 1_000_000):
        start = time.process_time()
        assert findings(check, "a" * size) == []
        times.append(time.process_time() - start)
    assert times[1] < 40 * max(times[0], 0.001)

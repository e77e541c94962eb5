"""The check for personal data as a whole: all types together, on any text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ai_gateway.guardrails.check import Finding
from ai_gateway.guardrails.checks import pii
from ai_gateway.guardrails.pii.types import TYPES
from tests.guardrails.pii.finder import findings, found, wide


def parameters(**keys) -> pii.Parameters:
    """A check of the type."""
    return pii.Parameters(name="pii", type="pii", stages=("input",), action="redact", **keys)


def test_a_finding_says_what_and_where() -> None:
    """Rule, score, place and placeholder, in the order of the text."""
    text = "Jo (jo@example.com) has SSN 123-45-6789 and card 4111 1111 1111 1111."
    assert findings(text) == [
        Finding("email", 1.0, 4, 18, "EMAIL"),
        Finding("us_ssn", 0.9, 28, 39, "SSN"),
        Finding("card", 1.0, 49, 68, "CARD"),
    ]


def test_only_the_types_of_the_policy_are_found() -> None:
    """Whatever else stands there."""
    text = "jo@example.com, 123-45-6789, 4111 1111 1111 1111"
    assert found(text, "card") == [("card", "4111 1111 1111 1111")]
    assert found(text, "vin", "passport") == []


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (f"card {wide('4111')} 1111 1111 1111", f"{wide('4111')} 1111 1111 1111"),
        ("card 4111\N{NO-BREAK SPACE}1111\N{EN DASH}1111-1111", None),
        ("card 4\N{ZERO WIDTH SPACE}111111111111111!", "4\N{ZERO WIDTH SPACE}111111111111111"),
        ("é 4111-1111-1111-1111", "4111-1111-1111-1111"),
    ],
)
def test_a_place_is_that_of_the_text_as_sent(text: str, written: str | None) -> None:
    """Disguised digits are found, and redacted whole; mixed separators are no card."""
    assert found(text, "card") == ([("card", written)] if written else [])


@given(
    st.text("0123456789 .-/+()@:_xXabcdefABCDEF\uff11é\u200b", max_size=60) | st.text(max_size=40)
)
def test_any_text_can_be_read(text: str) -> None:
    """No text makes the check fail, and its findings stand apart from each other."""
    end = 0
    for finding in findings(f"ssn passport phone dl {text} nhs born"):
        assert finding.rule in TYPES
        assert 0 < finding.score <= 1
        assert end <= finding.start < finding.end <= len(text) + 31
        end = finding.end


@pytest.mark.parametrize(
    "piece",
    ["1 ", "12 ", "123-", "1234 ", "4111 1111 1111 1112 ", "a@", "a.", ":1", "(1", "+1 ", "GB29 ",
     "ssn 1", "phone 12345 ", "born 1/1/1 ", "0xaB", "x://:1", "\uff11", "1\u200b"],
)  # fmt: skip
def test_time_grows_with_the_text_and_no_faster(piece: str) -> None:
    """200,000 characters made to be costly take under 3 seconds; squared, they would take hours."""
    text = (piece * 200_000)[:200_000]
    start = time.process_time()
    findings(text)
    assert time.process_time() - start < 3


def test_types_and_region_are_checked_at_start() -> None:
    """What is wrong is told with what would be right."""
    with pytest.raises(ValidationError, match="'email'"):
        parameters(types=("e-mail",))
    with pytest.raises(ValidationError, match="at least 1"):
        parameters(types=())
    with pytest.raises(ValidationError, match="two capital letters"):
        parameters(types=("phone",), region="uk")
    assert parameters(types=("phone",), region="GB").region == "GB"

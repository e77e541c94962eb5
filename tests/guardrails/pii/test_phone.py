"""Telephone numbers."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.guardrails.pii import numbering
from tests.guardrails.pii.finder import findings, found

FORMATS = phonenumbers.PhoneNumberFormat


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_the_example_of_every_country_is_found(region: str) -> None:
    """With its code as people write it, in one piece, and as it is dialled."""
    number = phonenumbers.example_number(region)
    for form in (FORMATS.INTERNATIONAL, FORMATS.E164):
        written = phonenumbers.format_number(number, form)
        for text in (written, written.replace("+", "00")):
            assert found(f"is {text}.", "phone") == [("phone", text)]


@pytest.mark.parametrize("region", ["US", "CA", "GB", "DE", "FR", "ES", "IT", "IN", "BR", "JP"])
def test_national_numbers_are_found_in_their_region(region: str) -> None:
    """As phonenumbers formats them; more surely near a word."""
    number = phonenumbers.example_number(region)
    written = phonenumbers.format_number(number, FORMATS.NATIONAL)
    assert found(f"is {written}.", "phone", region=region) == [("phone", written)]
    (finding,) = findings(f"Phone: {written}", "phone", region=region)
    assert finding.score == 1.0


@given(st.text("0123456789", min_size=7, max_size=15))
def test_a_number_is_right_where_phonenumbers_says_so(digits: str) -> None:
    """Its patterns are ours; only how they are run is another."""
    try:
        valid = phonenumbers.is_valid_number(phonenumbers.parse(f"+{digits}"))
    except phonenumbers.NumberParseException:
        valid = False
    if valid:
        assert numbering.is_international(digits.encode())


@pytest.mark.parametrize(
    "text",
    [
        "212-456-0123", "(212) 456-0123", "(212)456-0123", "212.456.0123", "1-212-456-0123",
        "1 (212) 456 0123", "212-456-0123 x12", "(212)456-0123x0123", "212-456-0123 ext. 4",
        "905-674-3793", "+44 (0)20 7946 0018", "+442079460018", "011 44 20 7946 0018",
        "001-518-640-0854", "+1 212\u2011456\u20110123",
    ],
)  # fmt: skip
def test_numbers_are_found_as_they_are_written(text: str) -> None:
    """To their last digit, with the extension."""
    assert found(f"at {text}, or not", "phone") == [("phone", text)]


@pytest.mark.parametrize(
    "text",
    [
        "2124560123",  # ten digits may be anything
        "123-456-7890",  # no such area
        "212-456-0123-4567",
        "3.212-456-0123",
        "2015-12-22 04:34",
        "12 34 56 78 90",
        "2 1 2 4 5 6 0 1 2 3",
        "201 2 245 6123",
        "2,124,560,123",
        "+999 123 4567",
        "+9991234567",
        "00 12",
    ],
)
def test_what_is_no_number_is_not_found(text: str) -> None:
    """Without a word that says it is one."""
    assert found(f"x {text} y", "phone") == []


def test_what_a_text_calls_a_number_is_one() -> None:
    """Plans change, and not every number is of the region; far from the word it is none."""
    assert found("Phone: 467 3395", "phone") == [("phone", "467 3395")]
    assert found("call me on 0490 75 40 81", "phone") == [("phone", "0490 75 40 81")]
    assert found("416 60 039 office", "phone") == [("phone", "416 60 039")]
    assert found("Fax: 345-899-3560x4587", "phone") == [("phone", "345-899-3560x4587")]
    assert found("phone 2124560123", "phone") == [("phone", "2124560123")]
    for text in (
        "the office is at 17031 2202 Main Street",
        "phone, on 2015-12-22 04:34",
        "phone 12345",
        "phone 12345678901234567890",
        "the phone that everybody had wanted, 467 3395",
    ):
        assert found(text, "phone") == []


def test_numbers_beside_each_other_are_two() -> None:
    """With only a space between."""
    assert found("212-456-0123 212-456-0124", "phone") == [
        ("phone", "212-456-0123"),
        ("phone", "212-456-0124"),
    ]
    assert found("in 1990 212-456-0123", "phone") == [("phone", "212-456-0123")]
    assert found("+1 212-456-0123 99 2", "phone") == [("phone", "+1 212-456-0123")]

"""Bank accounts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.guardrails.pii.iban import LENGTHS
from tests.guardrails.pii import numbers
from tests.guardrails.pii.finder import found

COUNTRIES = [(code, length) for length, codes in LENGTHS.items() for code in codes]


@given(data=st.data())
def test_a_right_iban_is_found_and_a_mistyped_one_is_not(data: st.DataObject) -> None:
    """Of every country, in one piece and in groups of four, with words right behind it."""
    country, length = data.draw(st.sampled_from(COUNTRIES))
    account = data.draw(numbers.digits(length - 4))
    number = numbers.iban(country, account)
    groups = " ".join(number[at : at + 4] for at in range(0, length, 4))
    for written in (number, groups, groups.lower()):
        assert found(f"To {written} and then", "iban") == [("iban", written)]
    at = data.draw(st.integers(4, length - 1))
    other = str((int(number[at]) + data.draw(st.integers(1, 9))) % 10)
    assert found(f"To {number[:at]}{other}{number[at + 1 :]} and then", "iban") == []


@pytest.mark.parametrize(
    "text",
    [
        "GB29NWBK6016133192681",  # a digit short
        "GB29NWBK601613319268199",  # a digit more
        "ZZ29NWBK60161331926819",  # no country
        "GB29 NWBK 6016 1331 9268 199",
    ],
)
def test_an_iban_is_as_long_as_its_country_has_them(text: str) -> None:
    """However right its check digits are."""
    assert found(text, "iban") == []


def test_an_iban_behind_what_looks_like_one_is_found() -> None:
    """The search goes on within what was none."""
    assert found("GB29 GB29 NWBK 6016 1331 9268 19", "iban") == [
        ("iban", "GB29 NWBK 6016 1331 9268 19")
    ]

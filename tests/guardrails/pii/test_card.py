"""Payment cards."""

import pytest

from tests.guardrails.pii.finder import findings, found


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "3782 822463 10005",
        "30569309025904",
        "3056 930902 5904",
        "6011111111111117",
        "3530111333300000",
        "6200000000000005",
        "4222222222222",
        "6304000000000000",
    ],
)
def test_the_test_numbers_of_payment_services_are_found(number: str) -> None:
    """Of every issuer, in one piece and in groups."""
    assert found(f"pay with {number}, please", "card") == [("card", number)]


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",  # wrong check digit
        "9999999999999995",  # no issuer
        "1234567812345670",  # no issuer
        "411111111111111",  # a Visa has no 15 digits
        "0000000000000000",
        "41111111111111111111111",
        "4111111111111111.25",
        "0.4111111111111111",
    ],
)
def test_what_no_issuer_has_is_not_found(text: str) -> None:
    """Nor what is part of a longer number."""
    assert found(text, "card") == []


def test_what_is_called_a_card_needs_no_known_issuer() -> None:
    """Its check digit must be right all the same."""
    assert found("my credit card is 1234567812345670", "card") == [("card", "1234567812345670")]
    assert found("my credit card is 1234567812345671", "card") == []
    assert found("my credit card is 0000000000000000", "card") == []


def test_digits_beside_a_card_are_none_of_it() -> None:
    """What stands before it or behind it with a space between."""
    card = "4111 1111 1111 1111"
    for text in (f"{card} 123", f"1234 {card}", f"12 {card} 12/27", f"_{card}_"):
        assert found(text, "card") == [("card", card)]


def test_rarer_lengths_are_less_sure() -> None:
    """One number in thirty of thirteen digits passes by chance."""
    scores = [findings(n, "card")[0].score for n in ("4111 1111 1111 1111", "4222222222222")]
    assert scores == [1.0, 0.6]

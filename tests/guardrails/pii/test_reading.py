"""A text as recognisers read it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.guardrails.pii.hit import Hit, best
from ai_gateway.guardrails.pii.reading import may_hold, read
from tests.guardrails.pii.finder import wide


@given(st.text())
def test_every_byte_leads_back_to_a_character(text: str) -> None:
    """In order, and to its own one where it is ASCII."""
    reading = read(text)
    places = [reading.place(at, at + 1)[0] for at in range(len(reading.data))]
    assert places == sorted(set(places))
    for byte, at in zip(reading.data, places, strict=True):
        if text[at].isascii():
            assert chr(byte) == text[at]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (wide("123"), b"123"),
        ("١٢٣ १२३", b"123 123"),
        ("①\N{COMBINING ENCLOSING KEYCAP}", b"1"),
        ("4\N{ZERO WIDTH SPACE}2\N{WORD JOINER}", b"42"),
        ("1\N{NO-BREAK SPACE}2\N{NON-BREAKING HYPHEN}3\N{MINUS SIGN}4\N{EN DASH}5", b"1 2-3-4-5"),
        ("jö\uff20ж.\N{CJK UNIFIED IDEOGRAPH-4E2D}", b"jo@\xe9.\x1f"),
    ],
)
def test_characters_are_read_for_what_they_look_like(text: str, data: bytes) -> None:
    """Digits of any script, dashes and spaces of any kind; what cannot be seen is not there."""
    assert read(text).data == data


def test_more_characters_than_are_remembered_are_read_all_the_same() -> None:
    """The memory of how characters are read is bounded."""
    letters = "".join(map(chr, range(0x4E00, 0x4E00 + 20_902))) * 2
    assert read(letters).data == b"\x1f" * len(letters)


def test_a_soft_hyphen_is_not_seen() -> None:
    """It only shows where a line breaks."""
    assert read("12\N{SOFT HYPHEN}34").data == b"1234"


def test_without_digits_and_at_signs_there_is_nothing_to_find() -> None:
    """In any script."""
    assert not may_hold("What is PII, und was heißt das?")
    for text in ("room 7", "jo@x", "ü 7", "号 " + wide("7"), "ü " + wide("@")):
        assert may_hold(text)


def test_of_two_that_overlap_the_surer_one_is_kept_then_the_longer() -> None:
    """What does not overlap stays, in its order."""
    apart = Hit(30, 40, "c", 0.2)
    assert best([apart, Hit(0, 10, "a", 0.9), Hit(5, 30, "b", 0.6)]) == [
        Hit(0, 10, "a", 0.9),
        apart,
    ]
    assert best([Hit(0, 10, "a", 0.9), Hit(2, 20, "b", 0.9)]) == [Hit(2, 20, "b", 0.9)]
    assert best([Hit(0, 10, "a", 0.9), Hit(0, 10, "b", 1.0)]) == [Hit(0, 10, "b", 1.0)]

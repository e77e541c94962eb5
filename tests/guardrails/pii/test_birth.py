"""Dates of birth."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.guardrails.pii.calendar import is_day
from tests.guardrails.pii.finder import found


@given(st.dates(dt.date(1850, 1, 1), dt.date(2030, 12, 31)))
def test_a_date_near_a_word_of_birth_is_found(day: dt.date) -> None:
    """However it is written."""
    written = (
        day.isoformat(),
        f"{day:%d/%m/%Y}",
        f"{day.month}/{day.day}/{day.year}",
        f"{day:%d.%m.%y}",
        f"{day.day} {day:%B} {day.year}",
        f"{day:%B} {day.day}, {day.year}",
        f"{day.day}th of {day:%b} {day.year}",
    )
    for text in written:
        assert found(f"She was born on {text}.", "date_of_birth") == [("date_of_birth", text)]
        assert found(f"The museum opened on {text}.", "date_of_birth") == []


@pytest.mark.parametrize(
    "text", ["13/13/1985", "31.02.1985", "1985-02-30", "0-0-1985", "1/2/3/1985", "born 7 times"]
)
def test_what_is_no_day_is_not_found(text: str) -> None:
    """Whatever stands before it."""
    assert found(f"born {text}", "date_of_birth") == []


@given(st.integers(1, 9999), st.integers(-1, 14), st.integers(-1, 33))
def test_days_are_those_of_the_calendar(year: int, month: int, day: int) -> None:
    """As Python's dates have them."""
    try:
        dt.date(year, month, day)
    except ValueError:
        assert not is_day(year, month, day)
    else:
        assert is_day(year, month, day)


def test_a_date_far_from_the_word_is_any_date() -> None:
    """Fifty characters behind it, or fifteen before it."""
    text = "She was born in a small town by the sea, and moved to the city on 1 May 1990."
    assert found(text, "date_of_birth") == []
    assert found("1 May 1990 (date of birth)", "date_of_birth") == [("date_of_birth", "1 May 1990")]

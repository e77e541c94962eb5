"""What stands in a cell."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.dashboard import text
from tests.dashboard.rows import request


@given(st.text(max_size=2000))
def test_a_cell_is_one_short_line(value: str) -> None:
    """Whatever a text holds, its cell is one line of at most 141 characters, and never empty."""
    found = text.cell(value)
    assert 0 < len(found) <= 141 or not value.strip()
    assert len(found.splitlines()) <= 1


def test_a_cell_shows_where_it_was_cut() -> None:
    """A short text is whole, a long one ends in an ellipsis, none is a dash."""
    assert text.cell("a\n b") == "a b"
    assert text.cell("word " * 100).endswith("word\N{HORIZONTAL ELLIPSIS}")
    assert text.cell(None) == text.NOTHING


def test_the_page_keeps_no_endless_text() -> None:
    """A text beyond the limit is cut, and says how long it was."""
    assert text.limited("x" * 100_000) == "x" * 100_000
    assert text.limited(None) is None
    found = text.limited("x" * 100_001)
    assert found is not None
    assert found.endswith("(cut: 100,001 characters)")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "highest-score at 0.80 (probability 0.90)"),
        ({"candidates": None, "propensity": None}, "highest-score"),
        ({"selection": "pinned"}, "asked for by name"),
        ({"selection": "cache"}, "cache"),
        ({"selection": None}, text.NOTHING),
        (
            {"selection": "pinned", "served": "model-b"},
            "asked for by name; model-a failed, model-b answered",
        ),
        ({"selection": "pinned", "served": None}, "asked for by name"),
    ],
)
def test_a_decision_says_why(changes: dict[str, Any], reason: str) -> None:
    """The reason names the policy, what it went by, and a fallback."""
    assert text.why(request(1, **changes)) == reason


def test_numbers_have_their_units() -> None:
    """Numbers are short, with units, and a dash where nothing is known."""
    assert [text.count(each) for each in (None, 0, 9_999, 12_345, 4_500_000, 2e9)] == [
        text.NOTHING,
        "0",
        "9,999",
        "12.3k",
        "4.5M",
        "2.0G",
    ]
    assert [text.duration(each) for each in (None, 87.4, 1240.0)] == [
        text.NOTHING,
        "87 ms",
        "1.24 s",
    ]
    assert [text.money(each) for each in (None, 0.0, 0.00123, 1234.5)] == [
        text.NOTHING,
        "0.00",
        "0.00123",
        "1,234.50",
    ]
    assert [text.score(None), text.score(0.5)] == [text.NOTHING, "0.50"]
    assert [text.interval(None, 1.0), text.interval(0.1, 0.9)] == [text.NOTHING, "0.10 to 0.90"]
    assert text.moment(datetime(2026, 3, 1, 12, tzinfo=timezone.utc)) == "2026-03-01 12:00:00"

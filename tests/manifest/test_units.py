"""Durations and rates as an operator writes them."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.manifest.units import Rate, duration, interval, rate


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("5m", 300), ("1.5h", 5400), ("7d", 604800), (2, 2), (" 3 s", 3)],
)
def test_a_duration_is_so_many_seconds(written: object, seconds: float) -> None:
    """A number with its unit, or a plain number of seconds, is read."""
    assert duration(written) == pytest.approx(seconds)


@pytest.mark.parametrize("written", ["soon", "", "5", "5 weeks", "-1s", 0, "0s", True, None, [1]])
def test_what_is_no_duration_is_refused(written: object) -> None:
    """A duration without a unit, of an unknown one, or of nothing is refused."""
    with pytest.raises(ValueError, match="duration"):
        duration(written)


@pytest.mark.parametrize(("written", "seconds"), [(0, 0), ("0s", 0), ("15s", 15), (0.5, 0.5)])
def test_an_interval_may_be_never(written: object, seconds: float) -> None:
    """Zero turns off what else happens so often."""
    assert interval(written) == seconds


@pytest.mark.parametrize("written", ["often", "5", -1, False, None])
def test_what_is_no_interval_is_refused(written: object) -> None:
    """It is written as a duration is."""
    with pytest.raises(ValueError, match="duration"):
        interval(written)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (100, Rate(100, 60)),
        ("100", Rate(100, 60)),
        ("100/min", Rate(100, 60)),
        ("50 / minute", Rate(50, 60)),
        ("5/s", Rate(5, 1)),
        ("1000/day", Rate(1000, 86400)),
    ],
)
def test_a_rate_counts_a_window(written: object, expected: Rate) -> None:
    """A bare count is a minute's; another window is named."""
    assert rate(written) == expected


@pytest.mark.parametrize("written", ["", "0", 0, "-5/s", "1/fortnight", "a/s", True, 1.5, None])
def test_what_is_no_rate_is_refused(written: object) -> None:
    """A rate that lets nothing through, or counts an unknown window, is refused."""
    with pytest.raises(ValueError, match="a rate of"):
        rate(written)


@pytest.mark.parametrize("parser", [duration, rate])
@given(text=st.text())
def test_no_text_breaks_the_parsers(parser: Callable[[object], object], text: str) -> None:
    """Any text is read, or refused as a value that is wrong."""
    with suppress(ValueError):
        parser(text)

"""What an operator may write of retention and service levels."""

import pytest

from ai_gateway.compliance.declared import Retention, Slo, age, share
from ai_gateway.records.keeping import Keep
from tests.records.conftest import DAY


@pytest.mark.parametrize(("written", "days"), [("1d", 1), ("12w", 84), ("1y", 365), (" 90 d ", 90)])
def test_an_age_is_whole_days(written, days) -> None:
    """Since dates go whole."""
    assert age(written) == days * DAY


@pytest.mark.parametrize("written", ["0d", "12h", "1.5d", "d", "", None, 90, "-1d", "1 month"])
def test_another_age_is_refused(written) -> None:
    """With what would be right."""
    with pytest.raises(ValueError, match="such as 90d"):
        age(written)


@pytest.mark.parametrize(("written", "is_"), [("99.9%", 0.999), ("5 %", 0.05), (0.95, 0.95)])
def test_a_share_is_a_percentage_or_a_fraction(written, is_) -> None:
    """Both as people write them."""
    assert share(written) == is_


@pytest.mark.parametrize("written", ["100%", "0%", 1, 0.0, 1.0, "99.9", 95, None, "1e1%", True])
def test_another_share_is_refused(written) -> None:
    """Of all that is promised there is no budget, and 95 may be 95 % or a slip."""
    with pytest.raises(ValueError, match="below 100 %"):
        share(written)


def test_rules_are_by_table_with_those_of_tenants() -> None:
    """A table without any is kept for ever."""
    written = {"requests": "90d", "weights": "1y", "tenants": {"a": {"requests": "7d"}, "b": {}}}
    assert Retention.model_validate(written).keeps() == {
        "requests": Keep(90 * DAY, {"a": 7 * DAY}),
        "weights": Keep(365 * DAY),
    }
    only = Retention.model_validate({"tenants": {"a": {"feedback": "1d"}}}).keeps()
    assert only == {"feedback": Keep(None, {"a": DAY})}


@pytest.mark.parametrize("written", [{}, {"tenants": {"a": {}}}, {"audit": "1h"}, {"keys": "1y"}])
def test_retention_that_says_nothing_is_refused(written) -> None:
    """And so is a table that is not pruned."""
    with pytest.raises(ValueError, match=r"at least one rule|Extra inputs|whole days"):
        Retention.model_validate(written)


def test_a_service_level_promises_something() -> None:
    """A limit in milliseconds goes with a latency."""
    with pytest.raises(ValueError, match="availability, latency or both"):
        Slo.model_validate({"window": "7d"})
    with pytest.raises(ValueError, match="from 1h to 366d"):
        Slo.model_validate({"availability": "99%", "window": "59m"})
    assert Slo.model_validate({"availability": "99%", "window": "1h"}).limit is None
    assert Slo.model_validate({"latency": {"p": "95%", "under": "2s"}}).limit == 2000

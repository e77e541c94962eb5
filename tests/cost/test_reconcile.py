"""Every recorded cost is worked out again from its own usage."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.cost.charge import charge
from ai_gateway.cost.declared import Price
from ai_gateway.cost.estimate import estimate
from ai_gateway.cost.reconcile import Drift, recompute
from ai_gateway.formats import Usage
from ai_gateway.settings import Settings
from tests.conftest import ROOT

PRICE = Price(input=1, output=4, cached=0.5)
USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "prompt_tokens_details": {"cached_tokens": 600},
}


def unpriced(*_asked) -> None:
    """Nobody knows a price."""


def row(raw=USAGE, at=PRICE, **changed) -> dict:
    """A row as the gateway records it."""
    found = charge(Usage(raw=raw), at, unpriced)
    return {
        "request_id": "r1",
        "served": "model-a",
        "selection": "policy",
        "usage": json.dumps(raw),
        "cost": None if found is None else float(found.amount),
        "price": None if found is None else json.dumps(dict(found.price)),
        **changed,
    }


def test_what_was_recorded_is_what_it_comes_to() -> None:
    """With sums a model."""
    report = recompute([row(), row(), row(served=None, usage=None, cost=None)])
    assert report.ok
    assert (report.rows, report.checked) == (3, 2)
    total = report.models["model-a"]
    assert total.rows == 2
    assert total.recorded == total.recomputed == pytest.approx(0.0022)


@pytest.mark.parametrize(
    "wrong",
    [
        {"cost": 0.0014},
        {"cost": None},
        {"price": None},
        {"usage": json.dumps({**USAGE, "prompt_tokens_details": None})},
        {"usage": None},
        {"usage": "{broken"},
        {"price": json.dumps({"input": "much"})},
        {"selection": "cache"},
    ],
)
def test_what_drifts_is_named(wrong) -> None:
    """A cost, usage or price that does not fit the others; a cached answer that was charged."""
    report = recompute([row(**wrong)])
    assert not report.ok
    assert report.drifts[0].request_id == "r1"


def test_the_amounts_of_a_drift_are_shown() -> None:
    """What a stream that lost its cached tokens would have been charged."""
    report = recompute([row(cost=0.0014)])
    assert report.drifts == [Drift("r1", "model-a", 0.0014, 0.0011)]


def test_many_drifts_are_counted_and_some_named() -> None:
    """The report stays small."""
    report = recompute(row(cost=1.0) for _ in range(500))
    assert (report.drifting, len(report.drifts)) == (500, 100)


def test_what_cannot_be_checked_is_counted() -> None:
    """Answers without a usage, and those of models without a price."""
    report = recompute(
        [row(at=None), row(raw={}, at=None), row(at=None, usage=None), row(at=None, price="{]")]
    )
    assert (report.ok, report.checked) == (True, 0)
    assert (report.unpriced, report.uncounted) == (2, 2)


def test_a_cached_answer_costs_nothing() -> None:
    """Although its usage says what it once took."""
    report = recompute([row(selection="cache", cost=0.0)])
    assert (report.ok, report.checked) == (True, 1)


def test_estimates_are_counted() -> None:
    """Their cost follows from the estimate that was stored."""
    guessed = estimate(Usage(), ["Hi"], "Hello")
    report = recompute([row(raw=dict(guessed.raw))])
    assert (report.ok, report.estimated) == (True, 1)


def test_what_an_upstream_charged_is_checked_against_its_own_words() -> None:
    """No rates are needed for it."""
    stated = row(raw={**USAGE, "cost": 0.5}, at=None)
    assert recompute([stated]).ok
    assert not recompute([{**stated, "cost": 0.4}]).ok


@given(
    st.lists(
        st.fixed_dictionaries(
            {"prompt_tokens": st.integers(0, 2**50), "completion_tokens": st.integers(0, 2**50)}
        ),
        max_size=20,
    ),
    st.floats(0, 1e4),
    st.floats(0, 1e4),
)
def test_nothing_that_the_gateway_writes_drifts(usages, input_price, output_price) -> None:
    """Whatever the counts and prices."""
    price = Price(input=input_price, output=output_price)
    assert recompute([row(raw=raw, at=price) for raw in usages]).ok


def test_the_command_needs_nothing_but_the_records(tmp_path) -> None:
    """No bundle, no key: an auditor runs it on a copy."""
    command = [sys.executable, "-m", "ai_gateway.cost.reconcile"]
    environment = {**Settings.read().variables, "GATEWAY_DATA": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    assert json.loads(done.stdout)["rows"] == 0

"""What nobody foresaw in a shadow is recorded and logged, and nobody else hears of it."""

from random import Random
from types import SimpleNamespace

import pytest

from ai_gateway.answer.call import Call
from ai_gateway.answer.record import Decision
from ai_gateway.answer.recording import Recorder
from ai_gateway.answer.route import Choice
from ai_gateway.answer.shadow import Shadowing
from ai_gateway.clock import SystemClock
from ai_gateway.contract import Event
from ai_gateway.manifest.model import Route
from ai_gateway.metrics import Metrics
from ai_gateway.resilience.aside import Aside


@pytest.fixture
def aside():
    """Work beside the requests."""
    running = Aside()
    yield running
    running.close()


def test_a_bug_is_logged_and_recorded(aside, caplog) -> None:
    """With its cause in the log, and nothing of it in the row."""

    def fail(*_arguments):
        raise ZeroDivisionError("a-bug")

    rows, clock, random = [], SystemClock(), Random(1)
    records = SimpleNamespace(append=lambda _table, row: rows.append(row))
    policies = SimpleNamespace(names=(), digest="")
    shadowing = Shadowing(
        SimpleNamespace(whole=fail),
        Recorder(records, "", policies, clock, Metrics()),
        SimpleNamespace(beside=lambda *_: None),
        aside,
        Metrics(),
        clock,
        random,
    )
    route = Route(path="/a", shadow={"model": "b"})
    event = Event("1" * 32, route, "POST", "/a", clock.now(), clock.monotonic())
    call = Call(event, "chat", {"messages": []})
    decision = Decision(event, "chat", choice=Choice("policy", "a", 1.0, 0, ()))
    shadowing.repeat(call, decision)
    aside.close()
    (row,) = rows
    assert (row["status"], row["error"], row["shadow_of"]) == (500, "internal_error", "1" * 32)
    assert "a-bug" in caplog.text
    assert "a-bug" not in str(row)

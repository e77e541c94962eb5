"""The judge's tick as a function: for a schedule, or an administrator."""

import json
from random import Random

import pytest

from ai_gateway.contract import Caller, Event
from ai_gateway.errors import Forbidden
from ai_gateway.manifest.model import Route
from ai_gateway.records import Records
from functions import judge_tick
from tests.judge.conftest import HandClock, Model, World, manifest, says

ROUTE = Route(path="/admin/judge-tick", function="functions.judge_tick:handle")
SCHEDULER = Caller(id="scheduler", scheme="job", admin=True)


@pytest.fixture
def world(tmp_path):
    """A store with three answers in it."""
    clock = HandClock()
    with Records.open(str(tmp_path / "data"), tmp_path / "wal", clock, background=False) as records:
        world = World(records, clock, manifest(), Random(1))
        world.answered(3)
        yield world


def event(method, caller):
    """A request or a tick."""
    return Event("r", ROUTE, method, ROUTE.path, received_at=0.0, caller=caller)


@pytest.mark.parametrize("method", ["TICK", "POST"])
def test_a_schedule_and_an_administrator_get_a_ticks_summary(world, method):
    """The reply says what was done, in what JSON can hold."""
    reply = judge_tick.handle(event(method, SCHEDULER), world.context(Model(says(0.5))))
    assert reply.status == 200
    body = json.loads(json.dumps(reply.body))
    assert {name: body[name] for name in ("judged", "scored", "failed", "given_up", "held")} == {
        "judged": 3,
        "scored": 3,
        "failed": 0,
        "given_up": 0,
        "held": False,
    }
    assert body["weights"] == {"model-a": 0.5, "model-b": 1.0}


def test_nobody_else_may_start_a_tick(world):
    """Judging costs money."""
    judge = Model(says(0.5))
    with pytest.raises(Forbidden, match="administrator"):
        judge_tick.handle(event("POST", Caller(id="key-1", scheme="api-key")), world.context(judge))
    assert judge.calls == []

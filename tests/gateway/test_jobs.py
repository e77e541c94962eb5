"""A scheduled function runs as one tick, or as one after another."""

import threading

import pytest

from ai_gateway import jobs
from ai_gateway.manifest.model import Job

INFERENCE = '  - {path: /inference, function: "functions.inference:handle", auth: api-key}\n'
TICK = Job(name="judge-tick", function="functions.judge_tick:handle", every="1m")


@pytest.fixture
def gateway(start):
    """Two answers, not judged yet."""
    gateway = start(INFERENCE)
    for model in ("model-a", "model-b"):
        gateway.ask("What is a Finite State Machine?", model_name=model)
    gateway.service.records.flush()
    return gateway


def test_a_tick_judges_and_the_routing_follows(gateway) -> None:
    """After one tick the better model is preferred, without a restart."""
    code, reply = jobs.tick(gateway.service, gateway.snapshot, TICK)
    assert (code, reply.body["scored"]) == (jobs.DONE, 2)
    gateway.service.weights.refresh()
    reply = gateway.ask("What is GRPO?")
    (candidates,) = (row["candidates"] for row in gateway.rows() if row["selection"] == "policy")
    assert {found["model"]: found["probability"] for found in candidates} == pytest.approx(
        {"model-a": 0.95, "model-b": 0.05}
    )
    judged = [row for row in gateway.rows() if row["surface"] == "judge"]
    assert {(row["privacy"], row["input"], row["output"]) for row in judged} == {
        ("none", None, None)
    }


@pytest.mark.parametrize(("cai", "code"), [({}, jobs.HELD), ({"CDSW_DOMAIN": "x"}, jobs.DONE)])
def test_a_tick_that_another_holds_comes_again(start, cai, code) -> None:
    """A held lease is exit 75, for a scheduler to try again; on CAI 0, where 75 would mail."""
    gateway = start(INFERENCE, **cai)
    with gateway.service.records.lease("judge-tick", "another", 60):
        assert jobs.tick(gateway.service, gateway.snapshot, TICK)[0] == code


def test_a_tick_that_fails_says_so(start, caplog) -> None:
    """A foreseen failure is one line and exit 1; an unforeseen one has its trace in the log."""
    gateway = start(INFERENCE)
    for function in ("functions.proxy:handle", "functions.nothing:handle"):
        job = Job(name="broken", function=function, every="1m")
        assert jobs.tick(gateway.service, gateway.snapshot, job) == (jobs.FAILED, None)
    assert "broken failed" in caplog.text


def test_ticks_follow_each_other_until_stopped(gateway, caplog) -> None:
    """Every tick says what it did; a bundle that breaks in between leaves the old in force."""
    stop, said = threading.Event(), []

    def show(text) -> None:
        said.append(text)
        (gateway.service.settings.bundle / "routes.yaml").write_text("version: 3")
        if len(said) == 3:
            stop.set()

    bundle = gateway.snapshot.bundle
    code = jobs.keep_ticking(gateway.service, bundle, TICK, every=0.01, stop=stop, show=show)
    assert (code, len(said)) == (jobs.DONE, 3)
    assert '"scored":2' in said[0]
    assert '"scored":0' in said[2]
    assert "the old one stays in force" in caplog.text


def test_one_tick_is_all_without_an_interval(gateway) -> None:
    """A CAI Job runs one tick and exits."""
    said = []
    jobs.keep_ticking(
        gateway.service,
        gateway.snapshot.bundle,
        TICK,
        every=None,
        stop=threading.Event(),
        show=said.append,
    )
    assert len(said) == 1

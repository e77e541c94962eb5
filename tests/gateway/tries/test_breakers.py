"""A model that fails is left alone for a while, and said to be."""

import time
from concurrent.futures import ThreadPoolExecutor

from ai_gateway.reload import Reloader
from runner import application
from tests.gateway.tries.conftest import ROUTE, attempts


def test_a_model_that_fails_is_left_alone_for_a_while(start, simulator) -> None:
    """After so many failures a model is not asked; the caller is told when to come again."""
    gateway = start(ROUTE, models="    breaker: {failures: 2, share: 0, cooldown: 1m}\n")
    simulator.faults["model-a"] = "status=500"
    statuses = [gateway.ask("x", model_name="model-a").status_code for _ in range(4)]
    assert statuses == [500, 500, 503, 503]
    assert simulator.counts["model-a"] == 2
    reply = gateway.ask("x", model_name="model-a")
    assert reply.json["error"]["code"] == "model_circuit_open"
    assert 0 < int(reply.headers["retry-after"]) <= 60


def test_readiness_warns_of_models_that_are_left_alone(start, simulator) -> None:
    """A model behind an open circuit is a warning, by number and not by name, and no failure."""
    ready = "  - {path: /readyz, methods: [GET], function: 'functions.readyz:handle', auth: none}\n"
    gateway = start(ROUTE + ready, models="    breaker: {failures: 1, share: 0, cooldown: 1m}\n")
    assert gateway.client.get("/readyz").json["models"] == "ok"
    simulator.faults["model-a"] = "status=500"
    assert gateway.ask("x", model_name="model-a").status_code == 500
    reply = gateway.client.get("/readyz")
    assert (reply.status_code, reply.json["models"]) == (200, "1 left alone after failures")


def test_after_the_cooldown_a_call_probes_the_model(start, simulator) -> None:
    """One that succeeds closes the circuit again; the metric tells each state."""
    gateway = start(ROUTE, models="    breaker: {failures: 1, share: 0, cooldown: 300ms}\n")

    def state():
        labels = {"model": "model-a", "endpoint": ""}
        registry = gateway.service.metrics.registry
        return registry.get_sample_value("ai_gateway_circuit", labels)

    simulator.faults["model-a"] = "status=500; times=2"
    assert gateway.ask("x", model_name="model-a").status_code == 500
    assert (gateway.ask("x", model_name="model-a").status_code, state()) == (503, 2)
    time.sleep(0.35)
    assert state() == 1
    assert (gateway.ask("x", model_name="model-a").status_code, state()) == (500, 2)
    time.sleep(0.35)
    assert (gateway.ask("x", model_name="model-a").status_code, state()) == (200, 0)
    assert simulator.counts["model-a"] == 3


def test_who_was_left_alone_stands_in_the_row(start, simulator) -> None:
    """An open circuit is why another model answered, so the row says it."""
    gateway = start(
        ROUTE + "    fallback: {models: model-b}\n",
        models="    breaker: {failures: 1, share: 0, cooldown: 1m}\n",
    )
    simulator.faults["model-a"] = "status=500"
    for _ in range(2):
        assert gateway.ask("x", model_name="model-a").json["model"] == "model-b"
    assert attempts(gateway) == [("model-a", "model_circuit_open"), ("model-b", None)]


def test_where_all_are_left_alone_the_caller_is_told(start, simulator) -> None:
    """A fallback whose circuit is open as well is not asked either."""
    gateway = start(
        ROUTE + "    fallback: {models: model-a}\n",
        models="    breaker: {failures: 1, share: 0, cooldown: 1m}\n",
    )
    simulator.faults["model-a"] = "status=500"
    statuses = [gateway.ask("x", model_name="model-a").status_code for _ in range(2)]
    assert statuses == [500, 503]
    assert simulator.counts["model-a"] == 1


def test_routing_leaves_out_who_is_left_alone(start, simulator) -> None:
    """Without any fallback declared another candidate is chosen, with a true propensity."""
    gateway = start(
        ROUTE + "    routing: {models: [model-a, model-b], policy: weighted}\n",
        models="    breaker: {failures: 1, share: 0, cooldown: 1m}\n",
    )
    simulator.faults["model-a"] = "status=500"
    gateway.ask("x", model_name="model-a")
    assert [gateway.ask("x").json["model"] for _ in range(8)] == ["model-b"] * 8
    row = next(row for row in gateway.rows() if row["served"] == "model-b")
    assert (row["propensity"], row["selection"]) == (1.0, "policy")
    told = {each["model"]: (each["probability"], each["excluded"]) for each in row["candidates"]}
    assert told == {"model-a": (0.0, "model_circuit_open"), "model-b": (1.0, None)}
    assert gateway.ask("x", model_name="model-a").status_code == 503


def test_routing_leaves_out_who_is_full(start, simulator) -> None:
    """A queue that takes nobody more is no candidate either."""
    gateway = start(
        ROUTE + "    routing: {models: [model-a, model-b], policy: weighted}\n",
        models="    concurrency: {limit: 1, queue: 0}\n",
    )
    simulator.faults["model-a"] = "latency=1"
    with ThreadPoolExecutor() as pool:
        client = gateway.client.application.test_client()
        body = {"inputs": "x", "model_name": "model-a"}
        slow = pool.submit(client.post, "/inference", json=body, headers=gateway.headers)
        while not simulator.counts["model-a"]:
            time.sleep(0.01)
        assert [gateway.ask("x").json["model"] for _ in range(5)] == ["model-b"] * 5
        assert slow.result().status_code == 200
    excluded = [row["candidates"][-1]["excluded"] for row in gateway.rows() if row["seed"]]
    assert excluded == ["model_busy"] * 5


def test_a_breaker_lives_on_while_the_bundle_is_reloaded(start, simulator) -> None:
    """A model that was left alone before a reload is so after it."""
    gateway = start(ROUTE, models="    breaker: {failures: 1, share: 0, cooldown: 1m}\n")
    simulator.faults["model-a"] = "status=500"
    assert gateway.ask("x", model_name="model-a").status_code == 500
    app = gateway.client.application

    def swap(bundle) -> None:
        app.wsgi_app.app = application(gateway.service.snapshot(bundle)).wsgi_app

    assert Reloader(gateway.service, gateway.snapshot.bundle, swap).reload()
    assert gateway.ask("x", model_name="model-a").status_code == 503
    assert simulator.counts["model-a"] == 1

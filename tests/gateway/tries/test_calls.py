"""What fails upstream is asked again, or another model instead, or left alone, as declared."""

import time

import pytest

from ai_gateway.hosting.arrival import Arrival
from tests.gateway.tries.conftest import ROUTE, attempts, claude, leaving


def test_a_failed_call_is_repeated_as_declared(start, simulator) -> None:
    """A model that fails twice and then answers is asked three times; the row has each try."""
    gateway = start(ROUTE + "    retries: {attempts: 3, backoff: 10ms}\n")
    simulator.faults["model-a"] = "status=500; times=2"
    assert gateway.ask("What is GRPO?", model_name="model-a").status_code == 200
    assert attempts(gateway) == [
        ("model-a", "upstream_error"),
        ("model-a", "upstream_error"),
        ("model-a", None),
    ]


def test_nothing_is_repeated_unless_declared(start, simulator) -> None:
    """Without retries one failure is the answer."""
    gateway = start(ROUTE)
    simulator.faults["model-a"] = "status=500; times=1"
    assert gateway.ask("What is GRPO?", model_name="model-a").status_code == 500
    assert len(attempts(gateway)) == 1


def test_a_model_that_starts_is_waited_for(start, simulator) -> None:
    """A cold start is asked again until the model is up, however few the retries."""
    gateway = start(
        ROUTE + "    retries: {attempts: 1}\n",
        models="    cold_start: {every: 20ms, at_most: 4s}\n",
    )
    simulator.faults["model-a"] = "status=503-text; times=4"
    assert gateway.ask("What is GRPO?", model_name="model-a").status_code == 200
    assert [error for _, error in attempts(gateway)] == ["upstream_cold_start"] * 4 + [None]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_another_model_answers_instead(start, simulator, status) -> None:
    """After a failure that the fallback names, the next model answers; the row tells both."""
    gateway = start(ROUTE + "    fallback: {models: model-b}\n")
    simulator.faults["model-a"] = f"status={status}"
    reply = gateway.ask("What is GRPO?", model_name="model-a")
    assert (reply.status_code, reply.json["model"]) == (200, "model-b")
    (row,) = gateway.rows()
    assert (row["chosen"], row["served"]) == ("model-a", "model-b")
    assert [found["model"] for found in row["attempts"]] == ["model-a", "model-b"]


def test_the_callers_own_mistake_is_not_asked_of_another(start, simulator) -> None:
    """A 400 of one model is the caller's, whoever could be asked instead."""
    gateway = start(ROUTE + "    fallback: {models: model-b}\n")
    simulator.faults["model-a"] = "status=400"
    assert gateway.ask("What is GRPO?", model_name="model-a").status_code == 400
    assert simulator.counts["model-b"] == 0


def test_a_fallback_that_nobody_defined_does_not_start(start) -> None:
    """The names of a fallback are checked like all others."""
    with pytest.raises(
        AssertionError, match="found model-z, wanted one of judge, model-a, model-b"
    ):
        start(ROUTE + "    fallback: {models: model-z}\n")


def test_a_wait_beyond_the_deadline_is_not_begun(start, simulator) -> None:
    """A model that asks for a minute falls back at once where there are five seconds."""
    declared = "    retries: {backoff: 1ms}\n    fallback: {models: model-b}\n"
    gateway = start(ROUTE + declared)
    simulator.faults["model-a"] = "status=503; retry-after=60"
    began = time.monotonic()
    assert gateway.ask("What is GRPO?", model_name="model-a").json["model"] == "model-b"
    assert time.monotonic() - began < 2
    assert simulator.counts["model-a"] == 1


def test_a_model_that_declares_it_is_waited_for_without_retries(start, simulator) -> None:
    """What a model declares holds by itself; nothing else is asked again."""
    gateway = start(ROUTE, models="    cold_start: {every: 20ms}\n")
    simulator.faults["model-a"] = "status=503-text; times=2"
    assert gateway.ask("What is GRPO?", model_name="model-a").status_code == 200
    simulator.faults["model-a"] = "status=500; times=2"
    assert gateway.ask("What is GRPO?", model_name="model-a").status_code == 500


def test_a_cold_start_is_waited_for_within_the_deadline(start, simulator) -> None:
    """A model that does not come up costs the caller no longer than the route's own timeout."""
    routes = ROUTE.replace("5s", "700ms") + "    retries: {attempts: 1}\n"
    gateway = start(routes, models="    cold_start: {every: 100ms, at_most: 60s}\n")
    simulator.faults["model-a"] = "status=503-text"
    began = time.monotonic()
    reply = gateway.ask("What is GRPO?", model_name="model-a")
    assert time.monotonic() - began < 1.5
    assert (reply.status_code, reply.json["error"]["code"]) == (503, "upstream_cold_start")
    assert simulator.counts["model-a"] > 3


def test_a_caller_who_leaves_while_a_model_starts_is_noticed(start, simulator) -> None:
    """The wait between two tries ends with him; nothing more is asked."""
    gateway = start(
        ROUTE.replace("5s", "1m") + "    retries: {attempts: 1}\n",
        models="    cold_start: {every: 30s, at_most: 60s}\n",
    )
    simulator.faults["model-a"] = "status=503-text"
    body = {"inputs": "What is GRPO?", "model_name": "model-a"}
    assert leaving(gateway, simulator, "/inference", body) == 499
    (row,) = gateway.rows()
    assert [each["error"] for each in row["attempts"]] == [
        "upstream_cold_start",
        "client_closed_request",
    ]
    assert simulator.counts["model-a"] == 1


def test_a_caller_who_stays_gets_the_answer_of_the_second_try(start, simulator) -> None:
    """Where the host can tell who leaves, the wait is as long as without."""
    gateway = start(ROUTE + "    retries: {backoff: 50ms}\n")
    simulator.faults["model-a"] = "status=500; times=1"
    reply = gateway.client.post(
        "/inference",
        json={"inputs": "What is GRPO?", "model_name": "model-a"},
        headers=gateway.headers,
        environ_overrides={"gateway.disconnected": Arrival()},
    )
    assert reply.status_code == 200


def test_an_attempt_without_a_status_line_has_no_status(start, simulator) -> None:
    """Nothing came that could be one."""
    gateway = start(ROUTE)
    simulator.faults["model-a"] = "hang=0.1"
    assert gateway.ask("What is GRPO?", model_name="model-a").status_code == 502
    (row,) = gateway.rows()
    assert [each["status"] for each in row["attempts"]] == [None]


@pytest.mark.parametrize("status", [401, 403])
def test_the_gateways_own_wrong_credentials_are_not_tried_again(start, simulator, status) -> None:
    """They are as wrong the second time, and open no circuit: what is wrong stays to be seen."""
    breaker = "    breaker: {failures: 1, share: 0}\n"
    declared = "    retries: {backoff: 1ms}\n    fallback: {models: model-b}\n"
    gateway = start(ROUTE + declared, models=breaker)
    simulator.faults["model-a"] = f"status={status}"
    for asked in (1, 2):
        reply = gateway.ask("What is GRPO?", model_name="model-a")
        assert (reply.status_code, reply.json["error"]["code"]) == (502, "upstream_credentials")
        assert simulator.counts["model-a"] == asked
    assert simulator.counts["model-b"] == 0


def test_another_model_answers_for_wrong_credentials_if_declared(start, simulator) -> None:
    """Only where the fallback names them."""
    gateway = start(ROUTE + "    fallback: {models: model-b, on: credentials}\n")
    simulator.faults["model-a"] = "status=401"
    assert gateway.ask("What is GRPO?", model_name="model-a").json["model"] == "model-b"


def test_retries_for_wrong_credentials_do_not_start(start) -> None:
    """Nothing is declared that would be for nothing."""
    with pytest.raises(AssertionError, match="refused credentials stay refused"):
        start(ROUTE + "    retries: {on: [5xx, credentials]}\n")


@pytest.mark.parametrize(("repeat", "asked"), [("false", 1), ("true", 2)])
def test_what_may_have_run_is_not_repeated_unless_declared(start, simulator, repeat, asked) -> None:
    """An answer that was cut short may have been billed."""
    gateway = start(ROUTE + f"    retries: {{backoff: 1ms, repeat: {repeat}}}\n")
    simulator.faults["model-a"] = "cut=mid-body"
    assert gateway.ask("What is GRPO?", model_name="model-a").status_code == 502
    assert simulator.counts["model-a"] == asked


def test_who_cannot_be_told_the_request_is_no_fallback(start, simulator) -> None:
    """A model of another API is passed over where the request has no words for it there."""
    gateway = start(
        ROUTE.replace("/inference", "/v1/chat/completions").replace(
            "functions.inference:", "functions.v1.chat_completions:"
        )
        + "    fallback: {models: [claude, model-b]}\n",
        models=claude(simulator),
    )
    simulator.faults["model-a"] = "status=500"
    messages = [{"role": "user", "content": "What is GRPO?"}]
    for more, served in (({"seed": 1}, "model-b"), ({}, "claude")):
        body = {"model": "model-a", "messages": messages, **more}
        reply = gateway.client.post("/v1/chat/completions", json=body, headers=gateway.headers)
        assert (reply.status_code, reply.json["model"]) == (200, served)


def test_a_fallback_that_cannot_be_told_is_passed_over(start, simulator) -> None:
    """The failure stands; that another model's dialect lacks a word is not the caller's mistake."""
    routes = ROUTE.replace("/inference", "/v1/chat/completions")
    routes = routes.replace("functions.inference", "functions.v1.chat_completions")
    url = f"{simulator.url}/anthropic/v1"
    other = f"  other: {{url: {url}, model_id: x, dialect: anthropic}}\n"
    gateway = start(routes + "    fallback: {models: [other]}\n", models=other)
    simulator.faults["model-a"] = "status=500"
    body = {"model": "model-a", "seed": 1, "messages": [{"role": "user", "content": "Hi"}]}
    reply = gateway.client.post("/v1/chat/completions", json=body, headers=gateway.headers)
    assert (reply.status_code, reply.json["error"]["code"]) == (500, "upstream_error")


def test_what_the_chosen_model_cannot_be_told_is_the_callers_mistake(start, simulator) -> None:
    """A fallback is for failures, not for what the named model does not know."""
    routes = ROUTE.replace("/inference", "/v1/chat/completions")
    routes = routes.replace("functions.inference", "functions.v1.chat_completions")
    other = f"  other: {{url: {simulator.url}/anthropic/v1, model_id: x, dialect: anthropic}}\n"
    gateway = start(routes + "    fallback: {models: [model-b]}\n", models=other)
    body = {"model": "other", "seed": 1, "messages": [{"role": "user", "content": "Hi"}]}
    reply = gateway.client.post("/v1/chat/completions", json=body, headers=gateway.headers)
    assert reply.status_code == 400
    assert simulator.counts["model-b"] == 0


def test_all_tries_together_have_the_models_time(start, simulator) -> None:
    """Where the route has no time-out of its own, a later try has what is left of the model's."""
    slow = (
        "  slow:\n    url: ${MODEL_A_URL}\n    model_id: ${MODEL_A_ID}\n"
        '    credentials: {token: "${MODEL_A_TOKEN}"}\n    timeout: {whole: 1s}\n'
    )
    routes = ROUTE.replace("    timeout: 5s\n", "    retries: {attempts: 3, backoff: 10ms}\n")
    gateway = start(routes, models=slow)
    simulator.faults["model-a"] = "latency=0.7; status=500"
    began = time.monotonic()
    assert gateway.ask("What is GRPO?", model_name="slow").status_code == 504
    assert time.monotonic() - began < 1.3
    assert attempts(gateway) == [("slow", "upstream_error"), ("slow", "upstream_timeout")]

"""What fails upstream is asked again, or another model instead, or left alone, as declared."""

import pytest

ROUTE = """
  - path: /inference
    function: functions.inference:handle
    auth: api-key
    guardrails: []
    timeout: 5s
"""


def attempts(gateway) -> list[tuple[str, str | None]]:
    """The models that were asked for the last answer, and how each failed."""
    return [(found["model"], found["error"]) for found in gateway.rows()[-1]["attempts"]]


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
    assert gateway.ask("What is GRPO?", model_name="model-a").status_code == 502
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


def test_a_stream_falls_back_before_its_first_event(start, simulator) -> None:
    """A model whose stream fails to begin is replaced by the next, and nobody notices."""
    routes = ROUTE.replace("/inference", "/v1/chat/completions")
    routes = routes.replace("functions.inference", "functions.v1.chat_completions")
    gateway = start(routes + "    fallback: {models: model-b}\n")
    simulator.faults["model-a"] = "status=503-text"
    body = {"model": "model-a", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    reply = gateway.client.post("/v1/chat/completions", json=body, headers=gateway.headers)
    assert (reply.status_code, reply.headers["x-gateway-model"]) == (200, "model-b")
    assert reply.text.endswith("data: [DONE]\n\n")
    assert [row["served"] for row in gateway.rows()] == ["model-b"]


def test_a_model_that_fails_is_left_alone_for_a_while(start, simulator) -> None:
    """After so many failures a model is not asked; the caller is told when to come again."""
    gateway = start(ROUTE, models="    breaker: {failures: 2, share: 0, cooldown: 1m}\n")
    simulator.faults["model-a"] = "status=500"
    statuses = [gateway.ask("x", model_name="model-a").status_code for _ in range(4)]
    assert statuses == [502, 502, 503, 503]
    assert simulator.counts["model-a"] == 2
    reply = gateway.ask("x", model_name="model-a")
    assert reply.json["error"]["code"] == "model_circuit_open"
    assert 0 < int(reply.headers["retry-after"]) <= 60


def test_a_fallback_that_nobody_defined_does_not_start(start) -> None:
    """The names of a fallback are checked like all others."""
    with pytest.raises(
        AssertionError, match="found model-z, wanted one of judge, model-a, model-b"
    ):
        start(ROUTE + "    fallback: {models: model-z}\n")

"""A stream is asked for again, or falls back, until it has said a word."""

import pytest

from tests.gateway.tries.conftest import ROUTE, attempts, claude, leaving


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
    body["model"] = "model-b"  # which numbers the same request alike
    alone = gateway.client.post("/v1/chat/completions", json=body, headers=gateway.headers)
    assert alone.text == reply.text
    number = alone.headers["x-upstream-request-id"]
    assert reply.headers["x-upstream-request-id"] == number


STREAMS = """
  - path: /v1/chat/completions
    function: functions.v1.chat_completions:handle
    auth: api-key
    guardrails: []
    {declared}
  - path: /v1/messages
    function: functions.v1.messages:handle
    errors: anthropic
    auth: api-key
    guardrails: []
    {declared}
  - path: /v1/responses
    function: functions.v1.responses:handle
    auth: api-key
    guardrails: []
    {declared}
"""


MESSAGES = {"stream": True, "messages": [{"role": "user", "content": "What is GRPO?"}]}


#: How each API asks for a stream, and how one begins and ends.
ASKED = {
    "/v1/chat/completions": (MESSAGES, '"role":"assistant"', "data: [DONE]"),
    "/v1/messages": ({**MESSAGES, "max_tokens": 500}, "event: message_start", "message_stop"),
    "/v1/responses": (
        {"stream": True, "input": "What is GRPO?"},
        "event: response.created",
        "event: response.completed",
    ),
}


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize(
    ("model", "fault"),
    [("model-a", "late-error=1"), ("claude", "late-error=1"), ("claude", "late-error=3")],
)
def test_a_stream_falls_back_before_its_first_word(start, simulator, path, model, fault) -> None:
    """A role, the head of a message and pings say nothing yet: whoever fails then is replaced."""
    gateway = start(
        STREAMS.format(declared="fallback: {models: model-b}"), models=claude(simulator)
    )
    simulator.faults["anthropic" if model == "claude" else model] = fault
    body, begins, ends = ASKED[path]
    reply = gateway.client.post(path, json={**body, "model": model}, headers=gateway.headers)
    assert (reply.status_code, reply.headers["x-gateway-model"]) == (200, "model-b")
    assert (reply.text.count(begins), '"error":{' in reply.text) == (1, False)
    assert ends in reply.text
    (row,) = gateway.rows()
    assert (row["status"], row["chosen"], row["served"]) == (200, model, "model-b")
    assert attempts(gateway) == [(model, "upstream_error"), ("model-b", None)]
    assert row["output"]


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize(
    ("model", "fault"), [("model-a", "late-error=2"), ("claude", "late-error=4")]
)
def test_a_stream_that_has_said_a_word_stays_whose_it_is(
    start, simulator, path, model, fault
) -> None:
    """What fails after the first word is told in the stream; nobody else is asked."""
    gateway = start(
        STREAMS.format(declared="fallback: {models: model-b}"), models=claude(simulator)
    )
    simulator.faults["anthropic" if model == "claude" else model] = fault
    body, begins, _ = ASKED[path]
    reply = gateway.client.post(path, json={**body, "model": model}, headers=gateway.headers)
    assert (reply.status_code, reply.headers["x-gateway-model"]) == (200, model)
    assert (reply.text.count(begins), '"error":{' in reply.text) == (1, True)
    assert simulator.counts["model-b"] == 0
    (row,) = gateway.rows()
    assert (row["status"], row["error"]) == (500, "upstream_error")


def test_a_stream_is_asked_for_again_before_its_first_word(start, simulator) -> None:
    """The caller sees the second try alone."""
    gateway = start(STREAMS.format(declared="retries: {backoff: 1ms}"))
    simulator.faults["model-a"] = "late-error=1; times=1"
    body = {**MESSAGES, "model": "model-a"}
    reply = gateway.client.post("/v1/chat/completions", json=body, headers=gateway.headers)
    assert (reply.status_code, reply.text.count('"role":"assistant"')) == (200, 1)
    assert attempts(gateway) == [("model-a", "upstream_error"), ("model-a", None)]


def test_streams_that_break_before_their_first_word_open_the_circuit(start, simulator) -> None:
    """Each counts once, as a failure; where nobody else may answer, it is the upstream's status."""
    gateway = start(
        STREAMS.format(declared=""), models="    breaker: {failures: 2, share: 0, cooldown: 1m}\n"
    )
    simulator.faults["model-a"] = "late-error=1"
    body = {**MESSAGES, "model": "model-a"}
    post = gateway.client.post
    replies = [post("/v1/chat/completions", json=body, headers=gateway.headers) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [500, 500, 503]
    assert simulator.counts["model-a"] == 2


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [400, 401, 408, 429, 500, 503, 529])
def test_an_attempt_that_failed_has_its_models_own_status(start, simulator, status, stream) -> None:
    """Whatever the caller is told instead of it."""
    gateway = start(STREAMS.format(declared="fallback: {models: model-b}"))
    simulator.faults["model-a"] = f"status={status}"
    body = {**MESSAGES, "model": "model-a", "stream": stream}
    gateway.client.post("/v1/chat/completions", json=body, headers=gateway.headers).get_data()
    (row,) = gateway.rows()
    assert row["attempts"][0]["status"] == status


def test_a_caller_may_leave_before_the_first_word(start, simulator) -> None:
    """Who waits for a model that has only begun is noticed when he leaves."""
    gateway = start(STREAMS.format(declared="fallback: {models: model-b}"))
    simulator.faults["model-a"] = "chunk-delay=30"
    body = {**MESSAGES, "model": "model-a"}
    assert leaving(gateway, simulator, "/v1/chat/completions", body) == 499
    assert attempts(gateway) == [("model-a", "client_closed_request")]


def test_the_first_token_is_the_first_word(start, simulator) -> None:
    """The record tells when something was said, not when a role came."""
    gateway = start(STREAMS.format(declared=""))
    simulator.faults["model-a"] = "say=One.; chunk-delay=0.2"
    body = {**MESSAGES, "model": "model-a"}
    gateway.client.post("/v1/chat/completions", json=body, headers=gateway.headers)
    (row,) = gateway.rows()
    assert 200 <= row["time_to_first_token_ms"] < row["latency_ms"]


def test_what_an_upstream_asks_to_wait_is_waited_for(start, simulator) -> None:
    """Retry-After holds, however short the declared backoff; the row says how long that took."""
    gateway = start(ROUTE + "    retries: {backoff: 1ms}\n")
    simulator.faults["model-a"] = "status=429; retry-after=1; times=1"
    assert gateway.ask("What is GRPO?", model_name="model-a").status_code == 200
    (row,) = gateway.rows()
    assert row["attempts"][0]["waited_ms"] == 0
    assert 1000 <= row["attempts"][1]["waited_ms"] < 1500
    assert row["overhead_ms"] < 500


def test_a_stream_that_breaks_late_counts_for_the_circuit(start, simulator) -> None:
    """A model whose streams break again and again is left alone, though each began well."""
    routes = ROUTE.replace("/inference", "/v1/chat/completions")
    routes = routes.replace("functions.inference", "functions.v1.chat_completions")
    gateway = start(routes, models="    breaker: {failures: 2, cooldown: 1m}\n")
    simulator.faults["model-a"] = "late-error"
    body = {"model": "model-a", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    statuses = []
    for _ in range(3):
        reply = gateway.client.post("/v1/chat/completions", json=body, headers=gateway.headers)
        statuses.append((reply.status_code, len(reply.data) > 0))
    assert [status for status, _ in statuses] == [200, 200, 503]


@pytest.mark.parametrize("fault", ["status=503-text; times=2", "status=429; times=1"])
def test_a_stream_is_asked_for_again_before_its_first_event(start, simulator, fault) -> None:
    """A cold start and a limit are waited out; the caller sees one stream, from its beginning."""
    routes = ROUTE.replace("/inference", "/v1/chat/completions")
    routes = routes.replace("functions.inference", "functions.v1.chat_completions")
    gateway = start(
        routes + "    retries: {backoff: 1ms}\n", models="    cold_start: {every: 20ms}\n"
    )
    simulator.faults["model-a"] = fault
    body = {"model": "model-a", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    reply = gateway.client.post("/v1/chat/completions", json=body, headers=gateway.headers)
    assert reply.status_code == 200
    assert reply.text.endswith("data: [DONE]\n\n")
    (row,) = gateway.rows()
    assert [each["error"] for each in row["attempts"]][-1] is None
    assert len(row["attempts"]) == int(fault[-1]) + 1


def test_what_an_upstream_did_is_no_error_of_the_gateways_log(start, simulator, caplog) -> None:
    """It stands in the record; a traceback for each would fill the log while a model is away."""
    gateway = start(ROUTE)
    simulator.faults["model-a"] = "cut=after-headers"
    assert gateway.ask("x", model_name="model-a").status_code == 502
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []

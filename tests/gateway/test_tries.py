"""What fails upstream is asked again, or another model instead, or left alone, as declared."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ai_gateway.hosting.arrival import Arrival
from ai_gateway.reload import Reloader
from runner import application

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


def claude(simulator) -> str:
    """A model that speaks Anthropic's API."""
    place = f"url: {simulator.url}/anthropic/v1, model_id: claude-simulated, dialect: anthropic"
    return f"  claude: {{{place}, credentials: {{token: t}}}}\n"


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


def test_a_caller_may_leave_before_the_first_word(start, simulator) -> None:
    """Who waits for a model that has only begun is noticed when he leaves."""
    gateway = start(STREAMS.format(declared="fallback: {models: model-b}"))
    simulator.faults["model-a"] = "chunk-delay=30"
    arrival = Arrival()

    def ask():
        reply = gateway.client.application.test_client().post(
            "/v1/chat/completions",
            json={**MESSAGES, "model": "model-a"},
            headers=gateway.headers,
            environ_overrides={"gateway.disconnected": arrival},
        )
        return reply.status_code

    with ThreadPoolExecutor() as pool:
        asked = pool.submit(ask)
        while not simulator.counts["model-a"]:
            time.sleep(0.01)
        time.sleep(0.1)
        left = time.monotonic()
        arrival.leave()
        assert asked.result() == 499
    assert time.monotonic() - left < 1
    assert attempts(gateway) == [("model-a", "client_closed_request")]


def test_the_first_token_is_the_first_word(start, simulator) -> None:
    """The record tells when something was said, not when a role came."""
    gateway = start(STREAMS.format(declared=""))
    simulator.faults["model-a"] = "say=One.; chunk-delay=0.2"
    body = {**MESSAGES, "model": "model-a"}
    gateway.client.post("/v1/chat/completions", json=body, headers=gateway.headers)
    (row,) = gateway.rows()
    assert 200 <= row["time_to_first_token_ms"] < row["latency_ms"]


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


def test_a_fallback_that_nobody_defined_does_not_start(start) -> None:
    """The names of a fallback are checked like all others."""
    with pytest.raises(
        AssertionError, match="found model-z, wanted one of judge, model-a, model-b"
    ):
        start(ROUTE + "    fallback: {models: model-z}\n")


def test_what_an_upstream_asks_to_wait_is_waited_for(start, simulator) -> None:
    """Retry-After holds, however short the declared backoff; the row says how long that took."""
    gateway = start(ROUTE + "    retries: {backoff: 1ms}\n")
    simulator.faults["model-a"] = "status=429; retry-after=1; times=1"
    assert gateway.ask("What is GRPO?", model_name="model-a").status_code == 200
    (row,) = gateway.rows()
    assert row["attempts"][0]["waited_ms"] == 0
    assert 1000 <= row["attempts"][1]["waited_ms"] < 1500
    assert row["overhead_ms"] < 500


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
    arrival = Arrival()

    def ask():
        body = {"inputs": "What is GRPO?", "model_name": "model-a"}
        environ = {"gateway.disconnected": arrival}
        client = gateway.client.application.test_client()
        reply = client.post(
            "/inference", json=body, headers=gateway.headers, environ_overrides=environ
        )
        return reply.status_code

    with ThreadPoolExecutor() as pool:
        asked = pool.submit(ask)
        while not simulator.counts["model-a"]:
            time.sleep(0.01)
        time.sleep(0.1)
        left = time.monotonic()
        arrival.leave()
        assert asked.result() == 499
    assert time.monotonic() - left < 1
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

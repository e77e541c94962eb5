"""A second model is asked too, for the record alone: no caller waits for it or hears of it."""

import time
from random import Random

import pytest

from ai_gateway.records import queries, to_rows

ROUTE = """
  - path: /inference
    function: functions.inference:handle
    auth: api-key
    guardrails: []
    routing: {models: model-a}
    shadow: {model: model-b, limit: 2}
  - path: /v1/chat/completions
    function: functions.v1.chat_completions:handle
    auth: api-key
    guardrails: []
    routing: {models: model-a}
    shadow: {model: model-b}
"""
BODY = {"messages": [{"role": "user", "content": "What is GRPO?"}]}


def until(true) -> None:
    """Wait for it, at most five seconds."""
    end = time.monotonic() + 5
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def answers(gateway) -> tuple[list[dict], list[dict]]:
    """The rows of what was answered, and of what shadows said, once nothing is under way."""
    until(lambda: not gateway.service.aside.running)
    rows = gateway.rows()
    return (
        [row for row in rows if row["surface"] != "shadow"],
        [row for row in rows if row["surface"] == "shadow"],
    )


def shadows(gateway, outcome) -> float:
    """How many were asked, or left out."""
    labels = {"route": "inference", "outcome": outcome}
    registry = gateway.service.metrics.registry
    return registry.get_sample_value("ai_gateway_shadows_total", labels) or 0.0


def test_its_answer_is_a_row_of_its_own(start) -> None:
    """Marked as a shadow's in each column that a reader could go by, with text and tokens."""
    gateway = start(ROUTE)
    assert gateway.ask("What is GRPO?").json["model"] == "model-a"
    (answer,), (shadow,) = answers(gateway)
    assert (answer["served"], answer["shadow_of"], answer["selection"]) == (
        "model-a",
        None,
        "policy",
    )
    assert [each["model"] for each in answer["attempts"]] == ["model-a"]
    assert [each["model"] for each in answer["candidates"]] == ["model-a"]
    assert shadow["shadow_of"] == answer["request_id"] != shadow["request_id"]
    assert (shadow["selection"], shadow["propensity"], shadow["seed"]) == ("shadow", 1.0, None)
    assert (shadow["chosen"], shadow["served"], shadow["candidates"]) == ("model-b",) * 2 + ([],)
    assert shadow["input"] == answer["input"]
    assert shadow["output"]
    assert shadow["output_tokens"] > 0
    assert shadow["tenant"] == answer["tenant"]


def test_nobody_judges_it_and_no_dashboard_counts_it(start) -> None:
    """It is nobody's answer."""
    gateway = start(ROUTE)
    gateway.ask("What is GRPO?")
    (answer,), (shadow,) = answers(gateway)
    records = gateway.service.records
    due = records.unjudged("answer-quality.v1", since=0.0, limit=10, random=Random(1))
    assert [row["request_id"] for row in to_rows(due.rows)] == [answer["request_id"]]
    assert queries.totals(records)["requests"] == 1
    assert queries.models_summary(records)["model"].to_pylist() == ["model-a"]
    newest = queries.recent_decisions(records, 10)
    assert newest["request_id"].to_pylist() == [answer["request_id"]]
    assert shadow["request_id"] != answer["request_id"]


def test_a_stream_is_repeated_as_a_stream(start) -> None:
    """Read to its end beside the caller's own, with the time to its first token."""
    gateway = start(ROUTE)
    body = {**BODY, "stream": True}
    reply = gateway.client.post("/v1/chat/completions", json=body, headers=gateway.headers)
    assert reply.text.endswith("data: [DONE]\n\n")
    (answer,), (shadow,) = answers(gateway)
    assert (shadow["shadow_of"], shadow["finish_reason"]) == (answer["request_id"], "stop")
    assert shadow["output"]
    assert shadow["time_to_first_token_ms"] <= shadow["latency_ms"]


def test_sound_is_repeated_too(start, simulator) -> None:
    """Of what is not text the row holds size and digest, as for any other answer."""
    url = simulator.url + "/namespaces/serving-default/endpoints/media/v1"
    media = "".join(
        f"  media-{each}: {{url: {url}, model_id: simulated/media, credentials: {{token: t}}}}\n"
        for each in "ab"
    )
    routes = ROUTE.replace("/v1/chat/completions", "/v1/audio/speech").replace("model-", "media-")
    gateway = start(routes.replace("v1.chat_completions", "v1.audio_speech"), models=media)
    body = {"model": "auto", "input": "Hello", "voice": "alloy"}
    reply = gateway.client.post("/v1/audio/speech", json=body, headers=gateway.headers)
    assert reply.status_code == 200, reply.text
    assert reply.data
    (answer,), (shadow,) = answers(gateway)
    assert (shadow["shadow_of"], shadow["status"]) == (answer["request_id"], 200)
    assert shadow["response_digest"].startswith("sha256:")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["status=500", "latency=1", "cut=mid-body", "html", "late-error"])
def test_whatever_becomes_of_it_the_caller_notices_nothing(start, simulator, stream, fault) -> None:
    """Neither a failure nor a delay; both stand in the shadow's own row."""
    gateway = start(ROUTE)
    simulator.faults["model-b"] = fault
    began = time.monotonic()
    body = {**BODY, "stream": stream}
    reply = gateway.client.post("/v1/chat/completions", json=body, headers=gateway.headers)
    assert (reply.status_code, "model-a" in reply.text) == (200, True)
    assert time.monotonic() - began < 0.8
    (answer,), (shadow,) = answers(gateway)
    assert (answer["status"], answer["error"]) == (200, None)
    late = 500 if stream else 200  # what is in one piece has no late error
    statuses = {"status=500": 500, "latency=1": 200, "late-error": late}
    assert shadow["status"] == statuses.get(fault, 502)
    assert simulator.counts["model-b"] == 1


def test_past_its_limit_calls_are_left_out_and_counted(start, simulator) -> None:
    """It is bounded, whatever the traffic; the callers are answered all the same."""
    gateway = start(ROUTE)
    simulator.faults["model-b"] = "latency=1"
    assert [gateway.ask("x").status_code for _ in range(5)] == [200] * 5
    answered, shadowed = answers(gateway)
    assert (shadows(gateway, "asked"), shadows(gateway, "left out")) == (2, 3)
    assert (len(answered), len(shadowed)) == (5, 2)


OTHER = """
  - path: /other
    function: functions.inference:handle
    auth: api-key
    guardrails: []
    routing: {models: model-a}
"""
#: model-b answers and model-a, whose declarations a test can add to, is the shadow.
TURNED = ROUTE.replace("model-a", "other").replace("model-b", "model-a").replace("other", "model-b")


def call(gateway) -> int:
    """The status of a caller's own question to the shadow's model."""
    body = {"inputs": "x", "model_name": "model-a"}
    reply = gateway.client.post("/other", json=body, headers=gateway.headers)
    return int(reply.status_code)


def test_it_takes_no_place_that_a_caller_could_have(start, simulator) -> None:
    """Shadows in all places of a model keep nobody out, nor in its queue."""
    concurrency = "    concurrency: {limit: 2, queue: 0}\n"
    gateway = start(TURNED + OTHER, models=concurrency)
    simulator.faults["model-a"] = "latency=1; times=2"
    assert [gateway.ask("x").status_code for _ in range(2)] == [200] * 2
    until(lambda: simulator.counts["model-a"] == 2)
    assert call(gateway) == 200
    assert gateway.service.aside.running == 2


def test_its_failures_open_no_circuit(start, simulator) -> None:
    """What it is asked for nobody's sake is no reason to refuse those who want an answer."""
    gateway = start(TURNED + OTHER, models="    breaker: {failures: 2, share: 0, cooldown: 1m}\n")
    simulator.faults["model-a"] = "status=500; times=3"
    for _ in range(3):
        gateway.ask("x")
        until(lambda: not gateway.service.aside.running)
    assert simulator.counts["model-a"] == 3
    assert call(gateway) == 200


def test_a_shadow_that_was_not_asked_is_counted_as_left_out(start, simulator) -> None:
    """Its model is left alone after its callers' failures; the row says so."""
    gateway = start(TURNED + OTHER, models="    breaker: {failures: 1, share: 0, cooldown: 1m}\n")
    simulator.faults["model-a"] = "status=500"
    assert (call(gateway), call(gateway)) == (500, 503)
    gateway.ask("x")
    _, (shadow,) = answers(gateway)
    assert shadow["error"] == "model_circuit_open"
    assert (shadows(gateway, "asked"), shadows(gateway, "left out")) == (0, 1)
    assert simulator.counts["model-a"] == 1


def test_a_share_of_the_calls(start) -> None:
    """Drawn for each call; the share is the row's propensity."""
    gateway = start(ROUTE.replace("limit: 2", "limit: 64, share: 0.5"))
    for _ in range(30):
        gateway.ask("x")
        until(lambda: not gateway.service.aside.running)
    _, shadowed = answers(gateway)
    assert 5 < len(shadowed) < 25
    assert {row["propensity"] for row in shadowed} == {0.5}


def test_nothing_is_repeated_to_the_model_that_answers(start) -> None:
    """Who names the shadow gets its answer, once."""
    routes = ROUTE.replace("models: model-a", "models: [model-a, model-b]")
    gateway = start(routes)
    assert gateway.ask("x", model_name="model-b").json["model"] == "model-b"
    answered, shadowed = answers(gateway)
    assert (len(answered), len(shadowed)) == (1, 0)


def test_a_shadow_is_no_candidate_unless_it_is_named_as_one(start) -> None:
    """Where a route names no candidates, its shadow is none of them."""
    gateway = start(ROUTE.replace("    routing: {models: model-a}\n", ""))
    assert gateway.ask("x", model_name="model-b").status_code == 404
    assert {gateway.ask("x").json["model"] for _ in range(10)} == {"model-a"}


def test_what_a_guardrail_refuses_no_shadow_sees(start) -> None:
    """The shadow is asked what the model is asked, and nothing else."""
    policy = """
version: 1
name: words
checks:
  - {name: words, type: phrases, stages: [input], action: block, phrases: [plugh]}
"""
    gateway = start(
        ROUTE.replace("guardrails: []", "guardrails: [words]"), policies={"words": policy}
    )
    assert gateway.ask("plugh").status_code == 403
    assert answers(gateway)[1] == []


def test_it_waits_in_no_queue_and_is_asked_once(start, simulator) -> None:
    """The shadow's own places are its callers'; retries and fallbacks are for answers."""
    routes = ROUTE.replace(
        "    shadow: {model: model-b, limit: 2}\n",
        "    shadow: {model: model-b, limit: 2}\n"
        "    retries: {attempts: 5, backoff: 1ms}\n    fallback: {models: model-a}\n",
    )
    gateway = start(routes)
    simulator.faults["model-b"] = "status=500"
    gateway.ask("x")
    (_,), (shadow,) = answers(gateway)
    assert [each["model"] for each in shadow["attempts"]] == ["model-b"]
    assert shadow["error"] == "upstream_error"


def test_a_full_shadow_is_busy_at_once(start, simulator) -> None:
    """A second shadow does not wait for the place that the first one has."""
    routes = ROUTE.replace("models: model-a}", "models: model-b}").replace(
        "{model: model-b", "{model: model-a"
    )
    gateway = start(routes, models="    concurrency: {limit: 1, queue: 9, wait: 5s}\n")
    simulator.faults["model-a"] = "latency=0.5"
    gateway.ask("x")
    until(lambda: simulator.counts["model-a"])
    gateway.ask("x")
    _, shadowed = answers(gateway)
    assert sorted(str(row["error"]) for row in shadowed) == ["None", "model_busy"]
    (waits,) = [row["latency_ms"] for row in shadowed if row["error"]]
    assert waits < 300


def test_it_ends_with_the_process(start, simulator) -> None:
    """Work beside the requests holds no shutdown up, and is recorded as far as it came."""
    gateway = start(ROUTE)
    simulator.faults["model-b"] = "hang=30"
    gateway.ask("x")
    until(lambda: simulator.counts["model-b"])
    time.sleep(0.1)
    began = time.monotonic()
    gateway.service.aside.close()
    assert time.monotonic() - began < 2
    _, (shadow,) = answers(gateway)
    assert shadow["error"] == "client_closed_request"
    gateway.ask("x")
    assert len(answers(gateway)[1]) == 1


def test_it_is_not_waited_for_while_it_starts(start, simulator) -> None:
    """A shadow is asked once, also where its model declares a cold start."""
    routes = ROUTE.replace("model-a", "other").replace("model-b", "model-a")
    routes = routes.replace("other", "model-b")
    gateway = start(routes, models="    cold_start: {every: 20ms, at_most: 4s}\n")
    simulator.faults["model-a"] = "status=503-text; times=1"
    gateway.ask("What is GRPO?")
    _, (shadow,) = answers(gateway)
    assert [found["error"] for found in shadow["attempts"]] == ["upstream_cold_start"]

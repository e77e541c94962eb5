"""Spans and figures by the conventions; never a text."""

import pytest
from opentelemetry.trace import StatusCode

from ai_gateway.answer.record import Attempt, Decision
from ai_gateway.contract import Event
from ai_gateway.manifest.model import Route
from ai_gateway.simulator import endpoints
from ai_gateway.telemetry import names, tracing
from tests.telemetry.conftest import CHAT, chat, traced

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


FROM = {"traceparent": f"00-{TRACE}-{PARENT}-01"}


WORDS = """
version: 1
name: words
checks:
  - {name: magic, type: phrases, stages: [input], action: flag, phrases: [xyzzy]}
  - {name: bad, type: phrases, stages: [input, output], action: block, phrases: [plugh]}
"""


def sent(gateway) -> dict[str, str]:
    """The headers that the model's server got last."""
    return {name.lower(): value for name, value in gateway.simulator.requests[-1].headers.items()}


def test_a_request_is_a_span_and_each_call_its_child(gateway, watch) -> None:
    """Names and attributes of the conventions, tokens of the row."""
    reply = chat(gateway, "canary", model="model-a")
    ((server,), (client,)), (row,) = watch.told(), gateway.rows()
    assert server.name == "POST /v1/chat/completions"
    assert dict(server.attributes) == {
        "http.request.method": "POST",
        "http.route": "/v1/chat/completions",
        "http.response.status_code": 200,
        "ai_gateway.route": "v1-chat-completions",
        "ai_gateway.request_id": reply.headers["x-request-id"],
    }
    address = gateway.simulator.url.removeprefix("http://").split(":")
    assert client.name == "chat simulated/model-a"
    assert dict(client.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "simulated/model-a",
        "gen_ai.response.model": "simulated/model-a",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": row["input_tokens"],
        "gen_ai.usage.output_tokens": row["output_tokens"],
        "gen_ai.usage.cache_read.input_tokens": row["cached_tokens"],
        "http.response.status_code": 200,
        "server.address": address[0],
        "server.port": int(address[1]),
        "ai_gateway.model": "model-a",
    }
    assert client.parent.span_id == server.context.span_id
    assert server.start_time <= client.start_time < client.end_time <= server.end_time
    assert client.end_time - client.start_time == pytest.approx(
        row["attempts"][0]["latency_ms"] * 1e6, abs=1e6
    )
    assert "canary" not in server.to_json() + client.to_json()


def test_a_stream_is_a_span_to_its_end(gateway, watch) -> None:
    """With the time to its first chunk; it is told once it is over."""
    with chat(gateway, model="model-a", stream=True) as reply:
        assert watch.told() == [[], []]
        reply.get_data()
    ((server,), (client,)), (row,) = watch.told(), gateway.rows()
    assert client.attributes["gen_ai.request.stream"] is True
    assert client.attributes["gen_ai.response.model"] == "simulated/model-a"
    first = client.attributes["gen_ai.response.time_to_first_chunk"]
    assert first == pytest.approx(row["time_to_first_token_ms"] / 1000)
    assert client.attributes["gen_ai.usage.output_tokens"] == row["output_tokens"]
    assert server.end_time >= client.end_time


def test_every_try_is_a_span_with_its_error(start, simulator, watch) -> None:
    """A try that failed says by which code; what was used is of the last one alone."""
    gateway = traced(start(CHAT + "    retries: {attempts: 2, backoff: 1ms}\n"), watch.telemetry)
    simulator.faults["model-a"] = "status=500; times=1"
    chat(gateway, model="model-a")
    (server,), (first, second) = watch.told()
    assert first.attributes["error.type"] == "upstream_error"
    assert first.status.status_code == StatusCode.ERROR
    assert names.INPUT_TOKENS not in first.attributes
    assert names.INPUT_TOKENS in second.attributes
    assert server.status.status_code == StatusCode.UNSET
    durations = [labels for name, labels, _ in watch.points() if name == names.DURATION]
    assert [labels.get("error.type") for labels in durations] == ["upstream_error", None]


def test_a_request_that_fails_says_so(gateway, simulator, watch) -> None:
    """A 5xx is an error of the span, a 404 only has its code."""
    simulator.faults["model-a"] = "status=500"
    chat(gateway, model="model-a")
    (server,), _ = watch.told()
    assert (server.status.status_code, server.attributes["error.type"]) == (
        StatusCode.ERROR,
        "upstream_error",
    )
    chat(gateway, model="nobody")
    (server,), calls = watch.told()
    assert (server.status.status_code, server.attributes["error.type"]) == (
        StatusCode.UNSET,
        "model_not_found",
    )
    assert calls == []


def test_figures_have_the_names_and_buckets_of_the_conventions(gateway, watch) -> None:
    """Duration, tokens by type, and of streams the time to the first chunk."""
    chat(gateway, model="model-a")
    with chat(gateway, model="model-a", stream=True) as reply:
        reply.get_data()
    points, rows = watch.points(), gateway.rows()
    by_name = {}
    for name, labels, point in points:
        by_name.setdefault(name, []).append((labels, point))
    assert set(by_name) == {
        "gen_ai.client.operation.duration",
        "gen_ai.client.token.usage",
        "gen_ai.client.operation.time_to_first_chunk",
    }
    ((_, duration),) = by_name[names.DURATION]
    assert (duration.count, duration.explicit_bounds) == (2, names.SECONDS)
    tokens = {labels["gen_ai.token.type"]: point for labels, point in by_name[names.TOKEN_USAGE]}
    assert tokens["input"].sum == sum(row["input_tokens"] for row in rows)
    assert tokens["output"].explicit_bounds == names.TOKENS
    ((_, first),) = by_name[names.TIME_TO_FIRST_CHUNK]
    assert first.count == 1


def test_the_callers_trace_goes_on_to_the_upstream(gateway, watch) -> None:
    """Our span is the child of his, the upstream's of ours; his state is kept, his baggage not."""
    chat(gateway, model="model-a", headers={**FROM, "tracestate": "a=1,b=2", "baggage": "who=me"})
    (server,), (client,) = watch.told()
    assert f"{server.context.trace_id:032x}" == TRACE
    assert f"{server.parent.span_id:016x}" == PARENT
    headers = sent(gateway)
    assert headers["traceparent"] == f"00-{TRACE}-{client.context.span_id:016x}-01"
    assert headers["tracestate"] == "a=1,b=2"
    assert "baggage" not in headers


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": "00-" + "0" * 32 + f"-{PARENT}-01"},
        {"traceparent": f"ff-{TRACE}-{PARENT}-01"},
        {"traceparent": f"00-{TRACE}-{PARENT}-01, 00-{TRACE}-{PARENT}-01"},
        {"traceparent": "canary" * 10_000},
        {"tracestate": "a=1"},
        {**FROM, "tracestate": "canary!!"},
        {**FROM, "tracestate": "a=" + "x" * 600},
        {**FROM, "tracestate": ",".join(f"k{number}=1" for number in range(40))},
    ],
)
def test_what_is_no_trace_is_not_passed_on(gateway, watch, caplog, headers) -> None:
    """A malformed parent begins a trace of our own; a state that is too much is dropped."""
    assert chat(gateway, model="model-a", headers=headers).status_code == 200
    (server,), _ = watch.told()
    got = sent(gateway)
    assert got["traceparent"].split("-")[1] == f"{server.context.trace_id:032x}"
    assert (server.parent is not None) == ("tracestate" in headers and "traceparent" in headers)
    assert "tracestate" not in got
    assert "canary" not in caplog.text


def test_a_caller_who_samples_nothing_costs_no_span(gateway, watch) -> None:
    """His decision holds, and goes on."""
    chat(gateway, model="model-a", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
    assert watch.told() == [[], []]
    assert sent(gateway)["traceparent"].startswith(f"00-{TRACE}-")
    assert sent(gateway)["traceparent"].endswith("-00")


def test_guardrails_and_the_cache_are_events(start, watch) -> None:
    """Which policy, which check, what it did; never the words."""
    route = CHAT.replace("guardrails: []", "guardrails: [words]") + "    cache: {ttl: 1h}\n"
    gateway = traced(start(route, policies={"words": WORDS}), watch.telemetry)
    for _ in range(2):
        chat(gateway, "xyzzy", model="model-a", temperature=0)
    chat(gateway, "plugh", model="model-a")
    (miss, hit, blocked), calls = watch.told()
    assert len(calls) == 1
    first, second = miss.events
    assert dict(first.attributes) == {
        "ai_gateway.guardrail.policy": "words",
        "ai_gateway.guardrail.check": "magic",
        "ai_gateway.guardrail.stage": "input",
        "ai_gateway.guardrail.action": "flag",
        "ai_gateway.guardrail.mode": "enforce",
        "ai_gateway.guardrail.score": 1.0,
    }
    assert (second.name, second.attributes["ai_gateway.cache.outcome"]) == (names.CACHE, "miss")
    assert hit.events[-1].attributes["ai_gateway.cache.outcome"] == "hit"
    assert blocked.attributes["error.type"] == "policy_violation"
    text = "".join(span.to_json() for span in (miss, hit, blocked))
    assert not [word for word in ("xyzzy", "plugh") if word in text]


def test_a_target_is_called_under_our_trace(start, simulator, watch) -> None:
    """It is no model, so nothing is said of tokens; what it gets of traces is ours alone."""
    base = f"{simulator.url}/namespaces/serving-default/endpoints/model-a/v1"
    route = f"  - {{name: old, path: /old, target: '{base}', auth: api-key,"
    gateway = traced(start(f"{route} credentials: {{token: any}}}}\n"), watch.telemetry)
    headers = {**gateway.headers, **FROM, "tracestate": "canary!!", "baggage": "who=canary"}
    body = {"model": "simulated/model-a", "messages": [{"role": "user", "content": "Hi"}]}
    assert (
        gateway.client.post("/old/chat/completions", json=body, headers=headers).status_code == 200
    )
    simulator.faults["model-a"] = "status=500"
    gateway.client.post("/old/chat/completions", json=body, headers=headers)
    _, (client, failed) = watch.told()
    assert client.name == "POST old"
    assert not [name for name in client.attributes if name.startswith("gen_ai.")]
    assert failed.attributes["error.type"] == "500"
    assert watch.points() == []
    seen = {name.lower(): value for name, value in simulator.requests[0].headers.items()}
    assert seen["traceparent"] == f"00-{TRACE}-{client.context.span_id:016x}-01"
    assert "canary" not in str(seen)


def test_sound_is_called_under_our_trace(start, simulator, watch) -> None:
    """An answer of bytes has headers as any other."""
    function = "functions.v1.audio_speech:handle"
    route = f"  - {{path: /v1/audio/speech, function: '{function}', auth: api-key}}\n"
    gateway = traced(start(route), watch.telemetry)
    body = {"model": "model-a", "input": "Hi", "voice": "any"}
    with gateway.client.post("/v1/audio/speech", json=body, headers=gateway.headers) as reply:
        reply.get_data()
    (server,), (client,) = watch.told()
    assert client.name == "speech simulated/model-a"
    assert f"{server.context.trace_id:032x}" in sent(gateway)["traceparent"]


def test_vectors_have_no_output(start, simulator, watch) -> None:
    """What an upstream does not count is no figure."""
    route = (
        "  - {path: /v1/embeddings, function: 'functions.v1.embeddings:handle', auth: api-key}\n"
    )
    url, token = endpoints(simulator.url)["embedder"], "credentials: {token: t}"
    embedder = f"  embedder: {{url: '{url}', model_id: simulated/embedder, {token}}}\n"
    gateway = traced(start(route, models=embedder), watch.telemetry)
    body = {"model": "embedder", "input": "Hi"}
    assert gateway.client.post("/v1/embeddings", json=body, headers=gateway.headers).json["data"]
    (client,) = watch.told()[1]
    assert client.attributes["gen_ai.operation.name"] == "embeddings"
    assert names.OUTPUT_TOKENS not in client.attributes
    kinds = [labels.get(names.TOKEN_TYPE) for name, labels, _ in watch.points()]
    assert kinds.count("input") == 1
    assert "output" not in kinds


def test_who_was_not_asked_has_no_span() -> None:
    """A model that a breaker leaves alone is an attempt of the record only."""
    event = Event("0" * 32, Route(path="/x", name="x"), "POST", "/x", 0.0)
    decision = Decision(event, attempts=[Attempt("model-a", error="circuit_open")])
    tracing.ended(decision)
    assert decision.attempts[0].headers == ()


@pytest.mark.parametrize(
    ("host", "dialect", "name"),
    [
        ("api.openai.com", "openai", "openai"),
        ("x.openai.azure.com", "openai", "azure.ai.openai"),
        ("notanthropic.com", "openai", "openai"),
        ("ml.example.cloudera.site", "openai", "cloudera"),
        ("10.0.0.1", "anthropic", "anthropic"),
    ],
)
def test_providers_are_known_by_their_address(host, dialect, name) -> None:
    """Else it is whose API is spoken."""
    assert names.provider(host, dialect) == name
    assert (names.operation("responses"), names.operation("rerank")) == ("chat", "rerank")

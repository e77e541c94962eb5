"""Spans and figures by the conventions, to a real receiver; never a text, and never a wait."""

import re
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from ai_gateway.answer.record import Attempt, Decision
from ai_gateway.contract import Event
from ai_gateway.manifest.checks import telemetry
from ai_gateway.manifest.checks.finding import Surroundings
from ai_gateway.manifest.model import Manifest, Route
from ai_gateway.settings import Settings
from ai_gateway.simulator import endpoints
from ai_gateway.telemetry import names, otel, tracing
from ai_gateway.telemetry.otel import OpenTelemetry
from tests.conftest import ROOT
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


class Watch:
    """What a gateway told, kept in memory."""

    def __init__(self) -> None:
        self.spans, self.figures = InMemorySpanExporter(), InMemoryMetricReader()
        self.telemetry = OpenTelemetry(SimpleSpanProcessor(self.spans), self.figures)

    def told(self):
        """The spans by their kinds: of requests, and of calls."""
        found = self.spans.get_finished_spans()
        self.spans.clear()
        return [
            [span for span in found if span.kind == kind]
            for kind in (SpanKind.SERVER, SpanKind.CLIENT)
        ]

    def points(self):
        """The figures: name, attributes and sum."""
        data = self.figures.get_metrics_data()
        return [
            (metric.name, dict(point.attributes), point)
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        ]


@pytest.fixture
def watch():
    """Spans and figures in memory."""
    found = Watch()
    yield found
    found.telemetry.close()


@pytest.fixture
def gateway(start, watch):
    """A traced gateway with a chat route."""
    return traced(start(CHAT), watch.telemetry)


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


class Collector(ThreadingHTTPServer):
    """A receiver of OTLP over HTTP, which may be slow."""

    daemon_threads = True

    def __init__(self) -> None:
        self.received, self.slow = [], threading.Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["content-length"]))
                while collector.slow.is_set():
                    time.sleep(0.01)
                collector.received.append((self.path, dict(self.headers), data))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def collector():
    """A receiver on a port of its own."""
    found = Collector()
    yield found
    found.slow.clear()
    found.shutdown()
    found.server_close()


def spans_of(collector):
    """The spans that arrived, and what they say of who sent them."""
    requests = [
        ExportTraceServiceRequest.FromString(data)
        for path, _, data in collector.received
        if path == "/v1/traces"
    ]
    resources = [each for request in requests for each in request.resource_spans]
    return [span for each in resources for scope in each.scope_spans for span in scope.spans], [
        {item.key: item.value.string_value for item in each.resource.attributes}
        for each in resources
    ]


def test_a_receiver_gets_all_at_a_graceful_stop(start, collector) -> None:
    """Spans and figures arrive by OTLP, with who we are, when the service is closed."""
    gateway = start(CHAT, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url + "/")
    chat(gateway, "canary", model="model-a")
    gateway.service.close()
    spans, resources = spans_of(collector)
    assert sorted(span.name for span in spans) == [
        "POST /v1/chat/completions",
        "chat simulated/model-a",
    ]
    assert resources[0]["service.name"] == "ai-gateway"
    assert resources[0]["service.instance.id"]
    figures = [data for path, _, data in collector.received if path == "/v1/metrics"]
    (request,) = map(ExportMetricsServiceRequest.FromString, figures)
    metrics = request.resource_metrics[0].scope_metrics[0].metrics
    assert {metric.name for metric in metrics} == {names.DURATION, names.TOKEN_USAGE}
    assert not [data for _, _, data in collector.received if b"canary" in data]


def test_each_signal_can_be_left_out(start, collector) -> None:
    """As the variables of OpenTelemetry say."""
    off = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}
    gateway = start(CHAT, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **off)
    chat(gateway, model="model-a")
    gateway.service.close()
    assert collector.received == []


@pytest.mark.parametrize("slow", [True, False])
def test_an_exporter_that_is_away_delays_nothing(start, collector, slow) -> None:
    """Neither requests nor, beyond a few seconds, the stop; whether it hangs or refuses."""
    collector.slow.set()
    url = collector.url if slow else "http://127.0.0.1:9"
    gateway = start(CHAT, OTEL_EXPORTER_OTLP_ENDPOINT=url)
    chat(gateway, model="model-a")
    began = time.monotonic()
    for _ in range(700):  # more than a batch
        assert gateway.client.get("/nowhere").status_code == 404
        assert chat(gateway, model="nobody").status_code == 404
    asked = time.monotonic() - began
    began = time.monotonic()
    gateway.service.close()
    assert time.monotonic() - began < otel.PATIENCE + 3
    assert asked < 10
    collector.slow.clear()
    ends = time.monotonic() + 15  # and nothing goes on trying behind the process's back
    while any(re.match("Otel|telemetry", each.name) for each in threading.enumerate()):
        assert time.monotonic() < ends, threading.enumerate()
        time.sleep(0.05)


def test_who_we_are_may_be_said_otherwise(monkeypatch) -> None:
    """By the variables of OpenTelemetry, which its library reads itself."""
    assert otel._resource().attributes["service.name"] == "ai-gateway"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "front")
    found = otel._resource().attributes
    assert found["service.name"] == "front"
    assert found["service.version"]


OFF = """
import sys
from ai_gateway.settings import Settings
from ai_gateway.service import Service
service = Service(Settings.read(None, {"GATEWAY_DATA": sys.argv[1], **eval(sys.argv[2])}))
service.close()
print(service.tracing, [name for name in sys.modules if name.startswith("opentelemetry")])
"""


@pytest.mark.parametrize(
    "variables",
    [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}],
)
def test_off_nothing_is_loaded(tmp_path, variables) -> None:
    """Without an address, and where it is switched off, no module of OpenTelemetry is there."""
    command = [sys.executable, "-c", OFF, str(tmp_path), repr(variables)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "None []\n"


def test_what_cannot_work_stops_the_start(monkeypatch) -> None:
    """No address of a collector, another protocol, no library: said before anything is served."""

    def said(**variables):
        settings = Settings.read(None, variables)
        return [str(found) for found in telemetry.check(Manifest(), Surroundings(settings))]

    assert said() == []
    assert said(OTEL_EXPORTER_OTLP_ENDPOINT="https://host:4318/a") == []
    for url in ("host:4318", "http://[", "ftp://host"):
        (problem,) = said(OTEL_EXPORTER_OTLP_ENDPOINT=url)
        assert "no address of a collector" in problem
    (problem,) = said(OTEL_EXPORTER_OTLP_ENDPOINT="http://host", OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    assert "http/protobuf" in problem
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    (problem,) = said(OTEL_EXPORTER_OTLP_ENDPOINT="http://host")
    assert "ai-gateway[otel]" in problem
    monkeypatch.setattr(sys, "path", [])
    for name in [name for name in sys.modules if name.startswith("opentelemetry")]:
        monkeypatch.delitem(sys.modules, name)
    assert tracing.missing()

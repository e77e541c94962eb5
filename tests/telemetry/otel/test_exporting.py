"""To a real receiver, without a wait, and nothing is loaded where it is off."""

import re
import subprocess
import sys
import threading
import time

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ai_gateway.manifest.checks import telemetry
from ai_gateway.manifest.checks.finding import Surroundings
from ai_gateway.manifest.model import Manifest
from ai_gateway.settings import Settings
from ai_gateway.telemetry import names, otel, tracing
from tests.conftest import ROOT
from tests.telemetry.conftest import CHAT, chat


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

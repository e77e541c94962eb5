"""A gateway whose spans and figures are watched."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from ai_gateway.telemetry.otel import OpenTelemetry
from tests.telemetry.conftest import CHAT, traced

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")


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

"""What it costs a request to be seen: CPU microseconds in one thread, the least of seven runs.

    python -m benchmarks.telemetry

Counting, the access line, and spans, which want the extra ``otel``; nothing is sent.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ai_gateway.answer.record import Attempt, Decision
from ai_gateway.contract import Caller, Event
from ai_gateway.cost.charge import Charge
from ai_gateway.formats import Usage
from ai_gateway.manifest.model import Model, Route
from ai_gateway.metrics import Metrics
from ai_gateway.settings import Settings
from ai_gateway.telemetry import access, current, logs, tracing
from ai_gateway.telemetry.otel import OpenTelemetry

_ROUNDS = 7
_CALLER = Caller("admin", "api-key")
_EVENT = Event("0" * 32, Route(path="/x", name="x"), "POST", "/x", 0.0, caller=_CALLER)
_PLAIN = Decision(
    _EVENT,
    served="model-a",
    usage=Usage(7, 5, raw={"prompt_tokens": 7}),
    attempts=[Attempt("model-a", status=200)],
)
_FULL = Decision(
    _EVENT,
    served="model-a",
    usage=Usage(7, 5, 3, 2, {"prompt_tokens": 7}),
    attempts=[Attempt("model-a", status=200)],
    charge=Charge(Decimal("0.001"), {}),
    streamed=True,
    first_byte_ms=5.0,
)


def measure(what: str, one: Callable[[], object], count: int = 5000) -> None:
    """Print the CPU time of one call."""
    found = []
    for _ in range(_ROUNDS):
        began = time.thread_time()
        for _ in range(count):
            one()
        found.append((time.thread_time() - began) / count * 1e6)
    print(f"{what:<40}{min(found):6.1f} µs")


def counting() -> None:
    """Metrics, and the request that log lines are of."""
    metrics = Metrics()

    def served() -> None:
        current.CURRENT.set(current.Request(_EVENT))
        metrics.in_flight.inc()
        current.decided(_PLAIN)
        metrics.in_flight.dec()
        current.CURRENT.set(None)

    measure("in flight, and whose lines they are", served)
    measure("a decision counted", lambda: metrics.decided(_PLAIN))
    measure("the same of a stream with all counts", lambda: metrics.decided(_FULL))


def lines(folder: Path) -> None:
    """Access lines, to a file."""

    def one() -> None:
        access.tell(
            request_id=_EVENT.request_id,
            route="x",
            method="POST",
            status=200,
            seconds=0.012,
            caller=_CALLER,
            decision=_PLAIN,
        )

    for form, level in (("json", "info"), ("text", "info"), ("json", "warning")):
        variables = {"GATEWAY_LOG_FORMAT": form, "GATEWAY_LOG_LEVEL": level}
        with (folder / "log").open("w", encoding="utf-8") as stream:
            settings = Settings.read(None, {**variables, "GATEWAY_DATA": str(folder)})
            logs.configure(settings, stream)
            measure(f"an access line as {form}, from {level} on", one)


def spans() -> None:
    """A request with one call of a model, and its figures; they are thrown away."""
    exporter = InMemorySpanExporter()
    exporter.shutdown()  # takes no more
    told = OpenTelemetry(BatchSpanProcessor(exporter), InMemoryMetricReader())
    model = Model(url="http://127.0.0.1:1/v1", model_id="m")
    called = tracing.Called("model-a", "chat", model.url, model)

    def one() -> None:
        trace = told.request(_EVENT)
        _PLAIN.attempts[0].span = trace.call(called, 0.0)
        tracing.ended(_PLAIN)
        trace.end(200, 1.0, _PLAIN)

    measure("spans of a request and of its call", one, 1000)
    told.close()


def main() -> None:
    """Measure all of it."""
    counting()
    with tempfile.TemporaryDirectory() as folder:
        lines(Path(folder))
    spans()


if __name__ == "__main__":
    main()

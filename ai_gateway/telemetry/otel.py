"""Traces and metrics by OpenTelemetry, exported over OTLP/HTTP.

Nothing here waits for the exporter: spans and figures go into bounded memory, which a thread
empties, and what does not fit is lost. What is sent are names, times and counts, never a text.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Thread
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from uuid import uuid4

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes, AttributeValue

from ai_gateway import __version__
from ai_gateway.telemetry import names
from ai_gateway.telemetry.tracing import ENDPOINT, Called

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from ai_gateway.answer.record import Attempt, Decision
    from ai_gateway.contract import Event

#: Seconds that the end of the process waits for what is not sent yet.
PATIENCE: Final = 3.0
_EVENTS: Final = 32  # of a request's guardrail verdicts
_NAME: Final = 128  # characters of what an upstream calls its model
_FAILED: Final = 500
_NANO: Final = 1_000_000_000
_CONTEXT: Final = TraceContextTextMapPropagator()

# It would tell what a caller sent in ``tracestate``.
logging.getLogger("opentelemetry.trace").setLevel(logging.CRITICAL)


class OpenTelemetry:
    """The spans and figures of one process; see ``tracing.Tracing``."""

    def __init__(
        self,
        processor: SpanProcessor | None,
        reader: MetricReader | None,
        exporters: Sequence[OTLPSpanExporter | OTLPMetricExporter] = (),
    ) -> None:
        self._closed = False
        self._exporters = exporters
        resource = _resource()
        readers = [reader] if reader else []
        self._meters = MeterProvider(readers, resource, shutdown_on_exit=False)
        self._spans = TracerProvider(resource=resource, shutdown_on_exit=False)
        if processor:
            self._spans.add_span_processor(processor)
        self.tracer = self._spans.get_tracer(names.SCOPE, __version__)
        meter = self._meters.get_meter(names.SCOPE, __version__, names.GENAI_SCHEMA)
        self.duration = meter.create_histogram(
            names.DURATION, "s", explicit_bucket_boundaries_advisory=names.SECONDS
        )
        self.tokens = meter.create_histogram(
            names.TOKEN_USAGE, "{token}", explicit_bucket_boundaries_advisory=names.TOKENS
        )
        self.first_chunk = meter.create_histogram(
            names.TIME_TO_FIRST_CHUNK, "s", explicit_bucket_boundaries_advisory=names.SECONDS
        )

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> OpenTelemetry:
        """What exports to ``OTEL_EXPORTER_OTLP_ENDPOINT``; the libraries read its kin themselves.

        ``OTEL_TRACES_EXPORTER`` and ``OTEL_METRICS_EXPORTER`` may be ``none``.
        """
        base = variables[ENDPOINT].strip().rstrip("/")
        spans = None if _off(variables, "OTEL_TRACES_EXPORTER") else f"{base}/v1/traces"
        figures = None if _off(variables, "OTEL_METRICS_EXPORTER") else f"{base}/v1/metrics"
        traces = OTLPSpanExporter(spans) if spans else None
        measures = OTLPMetricExporter(figures) if figures else None
        return cls(
            BatchSpanProcessor(traces) if traces else None,
            PeriodicExportingMetricReader(measures) if measures else None,
            [exporter for exporter in (traces, measures) if exporter],
        )

    def request(self, event: Event) -> RequestTrace:
        """A request begins; see ``tracing.Tracing``. Its caller's baggage stays behind."""
        told = {name: event.headers[name] for name in _CONTEXT.fields if name in event.headers}
        span = self.tracer.start_span(
            f"{event.method[:16]} {event.route.path}",
            context=_CONTEXT.extract(told),
            kind=SpanKind.SERVER,
            attributes={
                names.HTTP_METHOD: event.method[:16],
                names.HTTP_ROUTE: event.route.path,
                names.ROUTE: event.route.name,
                names.REQUEST_ID: event.request_id,
            },
            start_time=int(event.received_at * _NANO),
        )
        return RequestTrace(self, span)

    def close(self) -> None:
        """Send what is not sent yet; an exporter that is away is not waited for."""
        if self._closed:
            return
        self._closed = True
        threads = [
            Thread(target=part.shutdown, name="telemetry", daemon=True)
            for part in (self._spans, self._meters)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE / len(threads))
        if any(thread.is_alive() for thread in threads):
            for exporter in self._exporters:
                exporter.shutdown()  # it would go on trying for a minute


class RequestTrace:
    """One request; see ``tracing.Trace``. Used by one thread, its shadow by another."""

    __slots__ = ("_context", "_span", "telemetry")

    def __init__(self, telemetry: OpenTelemetry, span: Span) -> None:
        self.telemetry = telemetry
        self._span = span
        self._context = set_span_in_context(span)

    def call(self, called: Called, now: float) -> OneCall:
        """A call to a model begins, or to a target."""
        facts = _facts(
            called.name,
            called.form,
            called.url,
            called.model and called.model.model_id,
            called.model.dialect if called.model else "",
        )
        attributes = dict(facts.attributes)
        if called.streamed:
            attributes[names.REQUEST_STREAM] = True
        span = self.telemetry.tracer.start_span(
            facts.title,
            context=self._context,
            kind=SpanKind.CLIENT,
            attributes={**attributes, names.MODEL: called.name},
            start_time=int(now * _NANO),
        )
        return OneCall(self.telemetry, span, self._context, facts, now)

    def end(self, status: int, now: float, decision: Decision | None) -> None:
        """The request is over: its status, what guardrails said, and what the cache knew."""
        span = self._span
        if decision is not None and span.is_recording():
            for name, attributes in _events(decision):
                span.add_event(name, attributes, int(now * _NANO))
        span.set_attribute(names.HTTP_STATUS, status)
        error = decision.error if decision is not None else None
        if error is not None or status >= _FAILED:
            span.set_attribute(names.ERROR_TYPE, error or str(status))
        if status >= _FAILED:
            span.set_status(Status(StatusCode.ERROR))
        span.end(int(now * _NANO))


class OneCall:
    """One call to a model, or to a target; see ``tracing.CallSpan``."""

    __slots__ = ("_facts", "_span", "_started", "_telemetry", "answered_by", "headers")

    def __init__(
        self,
        telemetry: OpenTelemetry,
        span: Span,
        context: Context,
        facts: _Facts,
        started: float,
    ) -> None:
        self._telemetry = telemetry
        self._span = span
        self._facts = facts
        self._started = started
        self.answered_by: str | None = None
        carrier: dict[str, str] = {}
        _CONTEXT.inject(carrier, set_span_in_context(span, context))
        self.headers: Sequence[tuple[str, str]] = tuple(carrier.items())

    def end(self, attempt: Attempt, decision: Decision, *, last: bool) -> None:
        """The call is over, as ``attempt`` tells; what was used counts for the last one."""
        span, seconds = self._span, attempt.latency_ms / 1000
        answered = last and decision.served == attempt.model and decision.hit is None
        error = attempt.error or _failure(attempt.status)
        if error is not None:
            span.set_attribute(names.ERROR_TYPE, error)
            span.set_status(Status(StatusCode.ERROR))
        if attempt.status is not None:
            span.set_attribute(names.HTTP_STATUS, attempt.status)
        if self._facts.generative:
            self._measure(decision, seconds, error, answered=answered)
        if answered:
            span.set_attributes(self._said(decision))
        span.end(int((self._started + seconds) * _NANO))

    def _measure(
        self, decision: Decision, seconds: float, error: str | None, *, answered: bool
    ) -> None:
        told, facts = self._telemetry, self._facts.attributes
        told.duration.record(
            seconds, facts if error is None else {**facts, names.ERROR_TYPE: error}
        )
        if not answered:
            return
        usage = decision.usage
        for kind, count in (("input", usage.input), ("output", usage.output)):
            if count is not None:
                told.tokens.record(count, {**facts, names.TOKEN_TYPE: kind})
        if decision.streamed and decision.first_byte_ms is not None:
            told.first_chunk.record(decision.first_byte_ms / 1000, facts)

    def _said(self, decision: Decision) -> Mapping[str, AttributeValue]:
        usage, reason = decision.usage, decision.finish_reason
        first = decision.first_byte_ms if decision.streamed else None
        found: dict[str, AttributeValue | None] = {
            names.RESPONSE_MODEL: self.answered_by and self.answered_by[:_NAME],
            names.FINISH_REASONS: None if reason is None else (reason[:_NAME],),
            names.FIRST_CHUNK: None if first is None else first / 1000,
            names.INPUT_TOKENS: usage.input,
            names.OUTPUT_TOKENS: usage.output,
            names.CACHED_TOKENS: usage.cached,
            names.REASONING_TOKENS: usage.reasoning,
        }
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is the same of every call to one model in one format."""

    title: str
    generative: bool
    attributes: Mapping[str, AttributeValue]


@lru_cache(maxsize=1000)
def _facts(name: str, form: str, url: str, model_id: str | None, dialect: str) -> _Facts:
    parts = urlsplit(url)
    host = parts.hostname or ""
    found: dict[str, AttributeValue] = {names.SERVER_ADDRESS: host}
    found[names.SERVER_PORT] = parts.port or (443 if parts.scheme == "https" else 80)
    if model_id is None:
        return _Facts(f"{form} {name}", generative=False, attributes=found)
    operation = names.operation(form)
    found[names.OPERATION] = operation
    found[names.PROVIDER] = names.provider(host, dialect)
    found[names.REQUEST_MODEL] = model_id
    return _Facts(f"{operation} {model_id}", generative=True, attributes=found)


def _events(decision: Decision) -> Iterator[tuple[str, Attributes]]:
    """What is told of guardrails and of the cache. A rule may be a word of the policy: not it."""
    for verdict in decision.verdicts[:_EVENTS]:
        yield (
            names.GUARDRAIL,
            {
                names.GUARDRAIL_POLICY: verdict.policy,
                names.GUARDRAIL_CHECK: verdict.check,
                names.GUARDRAIL_STAGE: verdict.stage,
                names.GUARDRAIL_ACTION: verdict.action,
                names.GUARDRAIL_MODE: verdict.mode,
                names.GUARDRAIL_SCORE: verdict.score,
            },
        )
    if decision.cache != "off":
        yield names.CACHE, {names.CACHE_OUTCOME: decision.cache}


def _failure(status: int | None) -> str | None:
    """Of a target, whose answer is passed on whatever its status."""
    return str(status) if status is not None and status >= _FAILED else None


def _resource() -> Resource:
    """Who we are; ``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES`` may say otherwise."""
    ours = Resource(
        {
            SERVICE_NAME: "ai-gateway",
            SERVICE_VERSION: __version__,
            SERVICE_INSTANCE_ID: str(uuid4()),
        }
    )
    declared = Resource.create({})
    if str(declared.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        return declared.merge(ours)
    return ours.merge(declared)


def _off(variables: Mapping[str, str], name: str) -> bool:
    return variables.get(name, "").strip().lower() == "none"

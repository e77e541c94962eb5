"""What the process counts, for Prometheus. Labels are the bundle's own names, never a caller's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ai_gateway.compliance.live import Objectives

if TYPE_CHECKING:
    from ai_gateway.answer.record import Attempt, Decision

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """One registry a process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "ai_gateway_requests",
            "Requests by route and status.",
            ["route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "ai_gateway_request_seconds",
            "From arrival to the answer.",
            ["route"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.reloads = Counter(
            "ai_gateway_reloads",
            "Reloads of the bundle by outcome: done, refused.",
            ["outcome"],
            registry=self.registry,
        )
        self.bundle_current = Gauge(
            "ai_gateway_bundle_current",
            "0 while the bundle on disk does not check.",
            registry=self.registry,
        )
        self.records = Gauge(
            "ai_gateway_records",
            "State of the record writer, by what is counted.",
            ["what"],
            registry=self.registry,
        )
        self.keys = Gauge(
            "ai_gateway_issued_keys",
            "Issued keys: how many are live, and the seconds since they were read.",
            ["what"],
            registry=self.registry,
        )
        self.retries = Counter(
            "ai_gateway_retries",
            "Times that a model was asked again.",
            ["model"],
            registry=self.registry,
        )
        self.fallbacks = Counter(
            "ai_gateway_fallbacks",
            "Times that one model was asked instead of another.",
            ["model", "instead"],
            registry=self.registry,
        )
        self.shadows = Counter(
            "ai_gateway_shadows",
            "Calls that a shadow was asked too, or left out of.",
            ["route", "outcome"],
            registry=self.registry,
        )
        self.cache = Counter(
            "ai_gateway_cache",
            "Look-ups in the cache by outcome: hit, miss.",
            ["route", "outcome"],
            registry=self.registry,
        )
        self.verdicts = Counter(
            "ai_gateway_guardrail_verdicts",
            "Findings of guardrail checks, by what they do.",
            ["policy", "check", "action", "mode"],
            registry=self.registry,
        )
        self.check_failures = Counter(
            "ai_gateway_guardrail_check_failures",
            "Guardrail checks that could not be run.",
            ["policy", "check"],
            registry=self.registry,
        )
        self.leaked = Counter(
            "ai_gateway_guardrail_leaked_characters",
            "Characters of answers that had left when a policy ended their stream.",
            ["route"],
            registry=self.registry,
        )
        self.tokens = Counter(
            "ai_gateway_tokens",
            "Bearer and ID tokens that were looked at: verified, or why they were refused.",
            ["issuer", "outcome"],
            registry=self.registry,
        )
        self.key_sets = Counter(
            "ai_gateway_key_sets",
            "Fetches of issuers' keys by outcome: done, failed.",
            ["issuer", "outcome"],
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "ai_gateway_requests_in_flight",
            "Requests that a function works on, or whose stream is not over.",
            registry=self.registry,
        )
        #: The ids of those requests: to add one costs a tenth of what a gauge does.
        self.running: set[str] = set()
        self.in_flight.set_function(lambda: len(self.running))
        self.first_token = Histogram(
            "ai_gateway_time_to_first_token_seconds",
            "From the call of a model to the first event of its stream that says something.",
            ["route", "model"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.attempts = Counter(
            "ai_gateway_model_attempts",
            "Calls of models and targets by outcome: ok, http_4xx, http_5xx, or an error's code.",
            ["model", "outcome"],
            registry=self.registry,
        )
        self.model_tokens = Counter(
            "ai_gateway_model_tokens",
            "Tokens by kind: input, cached (of the input), output, reasoning (of the output).",
            ["model", "kind"],
            registry=self.registry,
        )
        self.cost = Counter(
            "ai_gateway_model_cost",
            "What answers cost, in the currency of the prices; models without a price have none.",
            ["model"],
            registry=self.registry,
        )
        self.objectives = Objectives(self.registry)
        self.limit_refusals = Counter(
            "ai_gateway_limit_refusals",
            "Requests that a limit or a budget refused, by its name.",
            ["limit"],
            registry=self.registry,
        )
        self.webhooks = Counter(
            "ai_gateway_webhook_events",
            "Events by outcome: delivered, failed (an attempt), unsaved (in memory only).",
            ["callback", "outcome"],
            registry=self.registry,
        )
        self.webhooks_dead = Counter(
            "ai_gateway_webhook_dead_letters",
            "Events that were given up.",
            ["callback"],
            registry=self.registry,
        )
        self.webhooks_waiting = Gauge(
            "ai_gateway_webhook_events_waiting",
            "Events that are yet to be delivered.",
            ["callback"],
            registry=self.registry,
        )
        self.bundle_current.set(1)
        # To find a metric by its labels takes a lock and costs more than to count.
        self._of = lru_cache(maxsize=10_000)(self._found)
        self._first_of = lru_cache(maxsize=10_000)(self.first_token.labels)
        self._attempts_of = lru_cache(maxsize=10_000)(self.attempts.labels)
        self._tokens_of = lru_cache(maxsize=10_000)(self.model_tokens.labels)
        self._cost_of = lru_cache(maxsize=10_000)(self.cost.labels)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """A request of ``route`` was answered after ``seconds``."""
        requests, times = self._of(route, status)
        requests.inc()
        times.observe(seconds)

    def decided(self, decision: Decision) -> None:
        """A decision was recorded: count whom it asked, what that used, and what it cost."""
        for attempt in decision.attempts:
            self._attempts_of(attempt.model, _outcome(attempt)).inc()
        model, usage = decision.served, decision.usage
        if model is None or decision.hit is not None:  # a cached answer uses nothing
            return
        if decision.streamed and decision.first_byte_ms is not None:
            first = self._first_of(decision.event.route.name, model)
            first.observe(decision.first_byte_ms / 1000)
        if usage.raw is None:
            return
        if usage.input:
            self._tokens_of(model, "input").inc(usage.input)
        if usage.output:
            self._tokens_of(model, "output").inc(usage.output)
        if usage.cached:
            self._tokens_of(model, "cached").inc(usage.cached)
        if usage.reasoning:
            self._tokens_of(model, "reasoning").inc(usage.reasoning)
        if decision.charge is not None:
            self._cost_of(model).inc(float(decision.charge.amount))

    def _found(self, route: str, status: int) -> tuple[Counter, Histogram]:
        return self.requests.labels(route, str(status)), self.seconds.labels(route)

    def gauge(self, records: Mapping[str, object], keys: Mapping[str, float]) -> None:
        """Take over how the record writer and the issued keys are now."""
        for what, value in records.items():
            if isinstance(value, (int, float)):
                self.records.labels(what).set(value)
        for what, count in keys.items():
            self.keys.labels(what).set(count)

    def expose(self) -> bytes:
        """All of it in Prometheus' text format."""
        text: bytes = generate_latest(self.registry)
        return text


def _outcome(attempt: Attempt) -> str:
    """What an attempt came to; a target's answer is passed on whatever its status."""
    if attempt.error is not None:
        return attempt.error
    if attempt.status is None or attempt.status < 400:  # noqa: PLR2004 - HTTP
        return "ok"
    return "http_4xx" if attempt.status < 500 else "http_5xx"  # noqa: PLR2004 - HTTP

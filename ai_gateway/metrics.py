"""What the process counts, for Prometheus. Labels are the bundle's own names, never a caller's."""

from __future__ import annotations

from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

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
            "Calls that a shadow was asked too, or left out for want of room.",
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
        self.bundle_current.set(1)
        # To find a metric by its labels takes a lock and costs more than to count.
        self._of = lru_cache(maxsize=10_000)(self._found)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """A request of ``route`` was answered after ``seconds``."""
        requests, times = self._of(route, status)
        requests.inc()
        times.observe(seconds)

    def _found(self, route: str, status: int) -> tuple[Counter, Histogram]:
        return self.requests.labels(route, str(status)), self.seconds.labels(route)

    def expose(self) -> bytes:
        """All of it in Prometheus' text format."""
        text: bytes = generate_latest(self.registry)
        return text

"""Counts, as requests are recorded, what the service levels of routes are measured by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge

from ai_gateway.records.outcome import FAILED, OWN, REFUSED

if TYPE_CHECKING:
    from ai_gateway.answer.record import Decision
    from ai_gateway.manifest.model import Route


class Objectives:
    """By the same definitions as ``python -m ai_gateway.compliance sla``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "ai_gateway_slo_requests",
            "Requests of routes with an slo, by objective, good or bad: 4xx count neither way.",
            ["route", "objective", "outcome"],
            registry=registry,
        )
        self._target = Gauge(
            "ai_gateway_slo_target",
            "The share of a route's requests that its slo says are good.",
            ["route", "objective"],
            registry=registry,
        )

    def declare(self, routes: Iterable[Route]) -> None:
        """Show what ``routes`` promise, and nothing that others did."""
        self._target.clear()
        for route in routes:
            slo = route.slo
            if slo and slo.availability is not None:
                self._declare(route.name, "availability", slo.availability)
            if slo and slo.latency:
                self._declare(route.name, "latency", slo.latency.p)

    def _declare(self, route: str, objective: str, target: float) -> None:
        self._target.labels(route, objective).set(target)
        for outcome in ("good", "bad"):  # a rate needs a count of nothing, too
            self._requests.labels(route, objective, outcome)

    def decided(self, decision: Decision, now: float) -> None:
        """A decision was recorded at ``now``, of the clock that its event's ``started`` is of."""
        route, status = decision.event.route, decision.status
        slo = route.slo
        if slo is None or decision.surface in OWN or REFUSED <= status < FAILED:
            return
        if slo.availability is not None:
            self._count(route.name, "availability", good=status < REFUSED)
        if slo.limit is not None and status < REFUSED:
            latency = (now - decision.event.started) * 1000
            self._count(route.name, "latency", good=latency <= slo.limit)

    def _count(self, route: str, objective: str, *, good: bool) -> None:
        self._requests.labels(route, objective, "good" if good else "bad").inc()

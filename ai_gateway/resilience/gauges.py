"""How the models are at the moment, for Prometheus: read when asked, so that calls pay nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ai_gateway.resilience.balancer import Balancer
from ai_gateway.resilience.circuit import Circuits, State
from ai_gateway.resilience.gate import Gates

_STATES: Final[dict[State, int]] = {"closed": 0, "half-open": 1, "open": 2}


class Gauges(Collector):
    """Circuits, gates and endpoints that were declared and asked for; labels are the bundle's."""

    def __init__(self, circuits: Circuits, gates: Gates, balancer: Balancer) -> None:
        self._circuits = circuits
        self._gates = gates
        self._balancer = balancer

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """One family a fact."""
        yield self._states()
        yield from self._places()
        flying = GaugeMetricFamily(
            "ai_gateway_endpoint_in_flight",
            "Calls at an endpoint, of models that have several.",
            labels=["endpoint"],
        )
        for endpoint, calls in self._balancer.flying().items():
            flying.add_metric([endpoint], calls)
        yield flying

    def _states(self) -> GaugeMetricFamily:
        states = GaugeMetricFamily(
            "ai_gateway_circuit",
            "State of a circuit: 0 closed, 1 half open, 2 open.",
            labels=["model", "endpoint"],
        )
        for key, circuit in self._circuits:
            model, _, endpoint = key.partition(" ")
            states.add_metric([model, endpoint], _STATES[circuit.state])
        return states

    def _places(self) -> Iterable[GaugeMetricFamily]:
        busy = GaugeMetricFamily(
            "ai_gateway_model_in_flight",
            "Calls at a model whose concurrency is limited.",
            labels=["model"],
        )
        queued = GaugeMetricFamily(
            "ai_gateway_model_queued",
            "Calls that wait for a place at such a model.",
            labels=["model"],
        )
        for model, gate in self._gates:
            busy.add_metric([model], gate.busy)
            queued.add_metric([model], gate.queued)
        return busy, queued

"""Stage 3, around each call to a model: again after a failure, another instead, or none for now."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final, TypeVar

from ai_gateway.clock import Clock
from ai_gateway.contract import Event
from ai_gateway.errors import GatewayError, UpstreamError
from ai_gateway.manifest.model import Manifest, Model
from ai_gateway.resilience import CircuitOpen, Circuits, Retries, Schedule, counts, matches, order

Result = TypeVar("Result")

#: What holds where a route declares no retries.
ONCE: Final = Retries(attempts=1, on=())


@dataclass(frozen=True, slots=True)
class Tries:
    """What outlives a bundle of it: which models are left alone for now."""

    circuits: Circuits
    clock: Clock
    random: Random

    def until_one_answers(
        self, event: Event, chosen: str, manifest: Manifest, once: Callable[[str], Result]
    ) -> Result:
        """What ``once`` gives for the first model that answers: ``chosen``, or its fallbacks.

        Raises the last failure, or CircuitOpen where no model is to be asked now.
        """
        models, fallback = manifest.models, event.route.fallback
        names = order(chosen, fallback, lambda name: self._passes(name, models[name]))
        if not names:
            raise self._open(chosen, models[chosen])
        for name in names[:-1]:
            try:
                return self._again(event, name, models[name], once)
            except UpstreamError as error:
                if fallback is None or not matches(error, fallback.on):
                    raise
        return self._again(event, names[-1], models[names[-1]], once)

    def _again(
        self, event: Event, name: str, model: Model, once: Callable[[str], Result]
    ) -> Result:
        """One model, until it answers or nothing more is to be tried."""
        began = event.started or self.clock.monotonic()
        deadline = began + (event.route.timeout or model.timeout.whole)
        retries = event.route.retries or ONCE
        schedule = Schedule(retries, model.cold_start, deadline, self.clock, self.random)
        while True:
            try:
                return self._once(name, model, once)
            except UpstreamError as error:
                wait = schedule.after(error)
                if wait is None:
                    raise
                self.clock.sleep(wait)

    def _once(self, name: str, model: Model, once: Callable[[str], Result]) -> Result:
        if model.breaker is None:
            return once(name)
        leave = self.circuits.of(name, model.breaker).enter()
        if leave is None:
            raise self._open(name, model)
        try:
            result = once(name)
            leave.succeed()
        except GatewayError as error:
            if counts(error):
                leave.fail()
            raise
        finally:
            leave.drop()  # unless it was told already
        return result

    def _passes(self, name: str, model: Model) -> bool:
        return model.breaker is None or self.circuits.of(name, model.breaker).passes

    def _open(self, name: str, model: Model) -> CircuitOpen:
        wait = self.circuits.of(name, model.breaker).wait if model.breaker else 0.0
        return CircuitOpen(
            f"The model {name} failed too often and is left alone for now.",
            headers={"retry-after": str(max(1, math.ceil(wait)))},
        )

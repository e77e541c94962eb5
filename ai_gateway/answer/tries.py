"""Stage 3, around each call to a model: again after a failure, another instead, or none for now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from threading import Event
from typing import Final, TypeVar

from ai_gateway.answer.places import Places
from ai_gateway.answer.record import Attempt, Decision
from ai_gateway.answer.turns import Turn, Turns
from ai_gateway.clock import Clock
from ai_gateway.errors import CallerLeft, GatewayError, UpstreamError
from ai_gateway.manifest.model import Route
from ai_gateway.metrics import Metrics
from ai_gateway.resilience import (
    CircuitOpen,
    ColdStart,
    Fallback,
    Retries,
    Schedule,
    matches,
    order,
)
from ai_gateway.upstream.cancel import Cancel

Result = TypeVar("Result")

#: What holds where a model says what to do while it starts, and the route declares no retries.
STARTING: Final = Retries(attempts=1, on=("cold-start",))


@dataclass(frozen=True, slots=True)
class Tries:
    """What outlives a bundle of it: which models are left alone for now, and who waits for which.

    ``once`` is given a Turn and ends it where it returns; where it raises, that is done here.
    """

    turns: Turns
    clock: Clock
    random: Random
    metrics: Metrics
    #: Whether a caller waits for the answer; if none does, as for a shadow's, no model is waited
    #: for either, and no caller feels that it was asked.
    patient: bool = True

    def until_one_answers(
        self,
        decision: Decision,
        chosen: str,
        models: Mapping[str, Places],
        once: Callable[[Turn], Result],
        takes: Callable[[str], bool],
    ) -> Result:
        """What ``once`` gives for the first model that answers: ``chosen``, or its fallbacks.

        ``takes`` says whether a model can be asked this at all: as a fallback no other is.

        Raises the last failure, or CircuitOpen where no model is to be asked now.
        """
        fallback = decision.event.route.fallback
        if fallback is None:
            return self._again(decision, models[chosen], once)
        failure: UpstreamError | None = None
        for name in self._order(decision, chosen, models, fallback):
            if name != chosen:
                if not takes(name):
                    continue
                self.metrics.fallbacks.labels(chosen, name).inc()
            try:
                return self._again(decision, models[name], once)
            except UpstreamError as error:
                failure = error
                if not matches(error, fallback.on):
                    break
        raise failure or self.turns.refusal(models[chosen])

    def _order(
        self,
        decision: Decision,
        chosen: str,
        models: Mapping[str, Places],
        fallback: Fallback,
    ) -> tuple[str, ...]:
        """Who is asked; where the chosen one is left alone, the decision says so."""
        names = order(chosen, fallback, lambda name: self.turns.passes(models[name]))
        if names[:1] != (chosen,):
            decision.attempts.append(Attempt(chosen, error=CircuitOpen.code))
        return names

    def _again(self, decision: Decision, places: Places, once: Callable[[Turn], Result]) -> Result:
        """One model, until it answers or nothing more is to be tried."""
        route, model = decision.event.route, places[0].model
        by = self._deadline(decision, route, model.timeout.whole)
        try:
            return self._once(decision, places, by, 0.0, once)
        except UpstreamError as error:
            waits = self.patient and model.cold_start
            retries = route.retries or (STARTING if waits else None)
            if retries is None:
                raise
            starting = model.cold_start or ColdStart()
            schedule = Schedule(retries, starting, by, self.clock, self.random)
            pause = schedule.after(error)
            if pause is None:
                raise
        while True:
            self.metrics.retries.labels(places[0].name).inc()
            try:
                return self._once(decision, places, by, pause, once)
            except UpstreamError as error:
                pause = schedule.after(error)
                if pause is None:
                    raise

    def _once(
        self,
        decision: Decision,
        places: Places,
        by: float,
        pause: float,
        once: Callable[[Turn], Result],
    ) -> Result:
        turn = self._turn(decision, places, by, pause)
        try:
            return once(turn)
        except BaseException as error:
            turn.end(error)
            raise

    def _turn(self, decision: Decision, places: Places, by: float, pause: float) -> Turn:
        """Leave for one call after ``pause`` seconds; the time that it took is noted."""
        began = self.clock.monotonic()
        caller = decision.event.cancel
        try:
            if pause:
                self._sleep(pause, caller)
            turns = self.turns
            turn = turns.take(places, by, caller) if self.patient else turns.beside(places)
        except GatewayError as error:
            waited_ms = (self.clock.monotonic() - began) * 1000
            decision.attempts.append(Attempt(places[0].name, error=error.code, waited_ms=waited_ms))
            raise
        turn.by = by
        if pause or turn.slot is not None:
            turn.waited = self.clock.monotonic() - began
        return turn

    def _sleep(self, seconds: float, caller: Cancel | None) -> None:
        """Wait, but for nobody who has left."""
        if caller is None:
            self.clock.sleep(seconds)
            return
        left = Event()
        caller.add_callback(left.set)
        if left.wait(seconds):
            raise CallerLeft("The caller left before the model was asked again.")

    def _deadline(self, decision: Decision, route: Route, whole: float) -> float:
        """By when a model must have answered, all tries together."""
        if route.timeout is None:
            return self.clock.monotonic() + whole
        return decision.event.started + route.timeout

"""Beside stage 3: a share of a route's calls goes to a second model too, for the record alone.

Its caller neither waits for it nor hears of it. Its decision is a row of its own: surface and
selection ``shadow``, ``shadow_of`` the request whose call it repeats, propensity the share. So no
judge takes it for an answer that somebody got, and no estimate for a choice of the routing.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Final, cast

from ai_gateway.access.allowed import may_ask
from ai_gateway.answer.call import Call, Chunks
from ai_gateway.answer.forward import Forward
from ai_gateway.answer.record import Decision
from ai_gateway.answer.recording import Recorder
from ai_gateway.answer.route import Choice
from ai_gateway.clock import Clock
from ai_gateway.contract import Event
from ai_gateway.errors import GatewayError
from ai_gateway.ids import new_id
from ai_gateway.limits.gate import Gate
from ai_gateway.metrics import Metrics
from ai_gateway.resilience.aside import Aside
from ai_gateway.upstream.cancel import Cancel

SHADOW: Final = "shadow"

#: What holds for a route's own answer only: a shadow is asked once, and nobody instead of it.
_ONCE: Final = {"retries": None, "fallback": None}


@dataclass(frozen=True, slots=True)
class Shadowing:
    """Repeats calls by one bundle's rules."""

    forward: Forward
    recorder: Recorder
    gate: Gate
    aside: Aside
    metrics: Metrics
    clock: Clock
    random: Random

    def repeat(self, call: Call, decision: Decision) -> None:
        """Put ``call`` to its route's shadow as well, if chance says so and there is room."""
        route, choice = call.event.route, decision.choice
        shadow = route.shadow
        if shadow is None or choice is None or choice.chosen == shadow.model:
            return
        if not may_ask(shadow.model, call.event.caller):
            return
        if self.random.random() >= shadow.share:
            return
        repeated = Decision(
            self._event(call.event),
            SHADOW,
            input=decision.input,
            request=decision.request,
            selection=SHADOW,
            choice=Choice(SHADOW, shadow.model, shadow.share, None, ()),
            shadow_of=call.event.request_id,
        )
        work = partial(self._ask, call, repeated)
        if not self.aside.run(f"shadow of {route.name}", shadow.limit, work):
            self._count(repeated)

    def _event(self, event: Event) -> Event:
        """The same request once more, as one of its own."""
        return replace(
            event,
            request_id=new_id(self.clock, self.random),
            route=event.route.model_copy(update=_ONCE),
            received_at=self.clock.now(),
            started=self.clock.monotonic(),
            body=b"",
        )

    def _ask(self, call: Call, decision: Decision, cancel: Cancel) -> None:
        event = decision.event = replace(decision.event, cancel=cancel)
        try:
            with self.recorder.recorded(decision):
                self._answer(replace(call, event=event), decision)
        except GatewayError as error:
            if type(error) is GatewayError:  # nobody foresaw it; all others are recorded
                raise
        finally:
            self._count(decision)

    def _count(self, decision: Decision) -> None:
        asked = any(attempt.endpoint for attempt in decision.attempts)
        route = decision.event.route.name
        self.metrics.shadows.labels(route, "asked" if asked else "left out").inc()

    def _answer(self, call: Call, decision: Decision) -> None:
        """All of the answer, as it would have gone to the caller."""
        choice = cast("Choice", decision.choice)
        self.gate.beside(call, choice.chosen, decision)
        if not call.stream:
            self.forward.whole(call, choice, decision)
            return
        answer = self.forward.stream(call, choice, decision, self.recorder.write)
        decision.streamed = True
        with closing(cast("Chunks", answer.chunks or answer.pieces)) as parts:
            for _ in parts:
                pass

"""Models that guardrail checks ask: by the same breakers, gates and deadlines as a call.

Each such call is a decision record of its own, so that what guarding costs is told: surface
``guard``, its caller's tenant and key, no text, and as ``client_request_id`` the request whose
texts were looked at. As with judging no limit holds for it, and no budget pays: a budget that is
spent must not leave a text unchecked, nor have it refused for want of a check.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Any, Final

from ai_gateway.answer.attempts import attempted
from ai_gateway.answer.places import Places
from ai_gateway.answer.record import Decision
from ai_gateway.answer.recording import Recorder
from ai_gateway.answer.route import pinned
from ai_gateway.answer.turns import Turn, Turns
from ai_gateway.answer.weights import UNJUDGED
from ai_gateway.clock import Clock
from ai_gateway.contract import Event
from ai_gateway.cost.charge import charge_of
from ai_gateway.cost.estimate import complete
from ai_gateway.cost.prices import Library
from ai_gateway.errors import UpstreamError
from ai_gateway.formats import Usage
from ai_gateway.formats.chat import CHAT
from ai_gateway.guardrails.scene import Ask
from ai_gateway.ids import new_id
from ai_gateway.manifest.model import Route, Routing
from ai_gateway.telemetry.tracing import Called
from ai_gateway.upstream import Upstreams

SURFACE: Final = "guard"


@dataclass(frozen=True, slots=True)
class Asking:
    """How checks ask the models of one bundle."""

    models: Mapping[str, Places]
    upstreams: Upstreams
    turns: Turns
    prices: Library
    recorder: Recorder
    clock: Clock
    random: Random

    def of(self, event: Event) -> Ask:
        """An ``Ask`` for the sake of ``event``, which any thread may call."""
        return partial(self._ask, event)

    def _ask(
        self, event: Event, model: str, path: str, body: Mapping[str, Any], seconds: float
    ) -> Mapping[str, Any]:
        """What ``model`` answers on ``path`` within ``seconds``; raises a GatewayError."""
        by = self.clock.monotonic() + seconds
        choice = pinned(model, UNJUDGED)
        own = self._event(event, model)
        decision = Decision(own, SURFACE, model, selection=choice.selection, choice=choice)
        with self.recorder.recorded(decision):
            turn = self.turns.take(self.models[model], by, None)
            try:
                said = self._send(turn, path, body, by, decision)
            except BaseException as error:
                turn.end(error)
                raise
            turn.end()
            return said

    def _send(
        self, turn: Turn, path: str, body: Mapping[str, Any], by: float, decision: Decision
    ) -> Mapping[str, Any]:
        place, model = turn.place, turn.place.model
        called = Called(place.name, SURFACE, model.url, model)
        with attempted(decision, self.clock, place.where, called, turn.waited) as attempt:
            reply = self.upstreams.send(model, path, body, by)
            attempt.status = reply.status
        decision.first_byte_ms, decision.simulated = reply.first_byte_ms, reply.simulated
        if not isinstance(reply.body, Mapping):
            raise UpstreamError(f"The model {place.name} answered with no JSON object.")
        decision.served = place.name
        decision.usage = _usage(path, body, reply.body)
        decision.charge = charge_of(decision.usage, model, self.prices)
        return reply.body

    def _event(self, event: Event, model: str) -> Event:
        """One of our own, in the name of ``event``'s caller; its trace stays the request's."""
        route = Route(
            name="guardrail-model",
            path="/guardrail-model",
            guardrails=(),
            privacy="none",
            routing=Routing(models=(model,)),
        )
        return replace(
            event,
            request_id=new_id(self.clock, self.random),
            route=route,
            path=route.path,
            path_parameters={},
            query="",
            received_at=self.clock.now(),
            started=self.clock.monotonic(),
            headers={"x-request-id": event.request_id},
            body=b"",
            trace=None,
        )


def _usage(path: str, body: Mapping[str, Any], said: Mapping[str, Any]) -> Usage:
    """Of a chat; a classifier's endpoint counts no tokens. Whether it is a verdict, its check says.

    Raises nothing: a reply that is no chat used nothing that is known.
    """
    if path != CHAT.path:
        return Usage()
    try:
        return complete(CHAT, body, CHAT.read(said))
    except UpstreamError:
        return Usage()

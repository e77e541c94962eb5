"""Models that guardrail checks ask: by the same breakers, gates and deadlines as a call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ai_gateway.answer.places import Places
from ai_gateway.answer.turns import Turns
from ai_gateway.clock import Clock
from ai_gateway.errors import UpstreamError
from ai_gateway.upstream import Upstreams


@dataclass(frozen=True, slots=True)
class Asking:
    """An ``Ask`` for the models of one bundle."""

    models: Mapping[str, Places]
    upstreams: Upstreams
    turns: Turns
    clock: Clock

    def __call__(
        self, model: str, path: str, body: Mapping[str, Any], seconds: float
    ) -> Mapping[str, Any]:
        """What ``model`` answers on ``path`` within ``seconds``; raises a GatewayError."""
        by = self.clock.monotonic() + seconds
        turn = self.turns.take(self.models[model], by, None)
        try:
            reply = self.upstreams.send(turn.place.model, path, body, by)
        except BaseException as error:
            turn.end(error)
            raise
        turn.end()
        if not isinstance(reply.body, Mapping):
            raise UpstreamError(f"The model {model} answered something that is no JSON object.")
        return reply.body

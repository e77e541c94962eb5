"""A question's vector, for a route that answers by meaning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from ai_gateway.answer.call import Answer, Call
from ai_gateway.clock import Clock
from ai_gateway.contract import Event
from ai_gateway.errors import GatewayError
from ai_gateway.formats.embeddings import EMBEDDINGS
from ai_gateway.ids import new_id
from ai_gateway.manifest.model import Route, Routing

#: Of such a call's own decision record.
SURFACE: Final = "cache"
PATIENCE: Final = 2.0  # seconds; an embedding that takes longer is none
_MOST: Final = 16_384  # dimensions


@dataclass(frozen=True, slots=True)
class Embedding:
    """Asks an embeddings model as anybody would, so that a record tells what it costs.

    The record keeps no text, and no guardrail looks at what was looked at when it was asked.
    """

    answer: Callable[[Call], Answer]
    clock: Clock
    random: Random

    def vector(self, text: str, model: str, event: Event) -> Sequence[float]:
        """The vector of ``text``; () where ``model`` gives none in time."""
        body = {"input": [text], "encoding_format": "float"}
        try:
            answer = self.answer(Call(self._event(event, model), SURFACE, body, model, EMBEDDINGS))
        except GatewayError:
            return ()
        return _numbers(answer.body)

    def _event(self, event: Event, model: str) -> Event:
        """One of our own, in the name of ``event``'s caller, and no longer than that may take."""
        now, timeout = self.clock.monotonic(), event.route.timeout
        left = PATIENCE if timeout is None else event.started + timeout - now
        route = Route(
            name="semantic-cache",
            path="/semantic-cache",
            guardrails=(),
            privacy="none",
            routing=Routing(models=(model,)),
            timeout=max(0.001, min(PATIENCE, left)),
        )
        return replace(
            event,
            request_id=new_id(self.clock, self.random),
            caller=replace(event.caller, models=None),  # it is the route that asks, not he
            route=route,
            path=route.path,
            received_at=self.clock.now(),
            started=now,
            headers={},
            body=b"",
        )


def _numbers(body: Any) -> Sequence[float]:
    """The one vector of an answer; () for what is none."""
    try:
        (item,) = body["data"]
        vector = item["embedding"]
        right = isinstance(vector, list) and len(vector) <= _MOST
        return tuple(map(float, vector)) if right else ()
    except (LookupError, TypeError, ValueError):
        return ()

"""A call whose ``model`` is a route's name: that route's models, under the rules of both routes.

How models are chosen and tried is the named route's; no rule of either is weakened by it: the
guardrails are the union, the privacy is the stricter one, the time the shorter one, the body no
larger than either reads, the limits of both are taken, and who may not call the named route may not
name it either.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, get_args

from ai_gateway.access.allowed import may_ask
from ai_gateway.access.identity import permits
from ai_gateway.answer.call import AUTO, Call
from ai_gateway.answer.record import MAX_NAME
from ai_gateway.errors import Forbidden, UnknownModel
from ai_gateway.limits.gate import check_size
from ai_gateway.manifest.model import Manifest, Privacy, Route

#: What a named route brings as it is.
BROUGHT: Final = ("routing", "retries", "fallback", "canary", "shadow")
#: What both say together.
JOINED: Final = ("guardrails", "privacy", "timeout")

_STRICTER: Final = get_args(Privacy).index


@dataclass(frozen=True, slots=True)
class Naming:
    """Looks up the routes of one bundle."""

    manifest: Manifest

    def call(self, call: Call) -> Call:
        """``call`` on the two routes' rules where it names a route; otherwise as it is.

        Raises Forbidden or TooLarge, as calling the named route itself would, and
        UnknownModel for a model that the caller may not ask.
        """
        name, called, caller = call.model, call.event.route, call.event.caller
        if name in AUTO:
            return call
        route = None if name in self.manifest.models else self.manifest.nameable(name)
        if route is None:
            if not may_ask(name, caller):  # in the same words whether there is one or not
                raise UnknownModel(
                    f"This caller may ask no model {name[:MAX_NAME]!r}.", param="model"
                )
            return call
        if not permits(route, caller):
            raise Forbidden(f"Route {route.name} is not one that this caller may call.")
        check_size(call.event.body, route)
        return replace(call, event=replace(call.event, route=both(called, route)), routed=True)


def both(called: Route, named: Route) -> Route:
    """``called``, with the choice of ``named``, and as strict as each of them."""
    mine, its = called.guardrails, named.guardrails
    times = [time for time in (called.timeout, named.timeout) if time is not None]
    return called.model_copy(
        update={
            **{name: getattr(named, name) for name in BROUGHT},
            "guardrails": None if None in (mine, its) else _union(mine or (), its or ()),
            "privacy": max(called.privacy, named.privacy, key=_STRICTER),
            "timeout": min(times, default=None),
        }
    )


def _union(mine: tuple[str, ...], its: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*mine, *its)))

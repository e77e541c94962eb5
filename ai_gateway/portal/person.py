"""Who is signed in, as the page shows it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ai_gateway.contract import Caller, Context, Event
from ai_gateway.portal.own import OwnKeys
from ai_gateway.portal.portal import portal


def told(event: Event, context: Context) -> dict[str, Any]:
    """The person, the CSRF token of his session, and the most that his keys may be."""
    own = OwnKeys.of(event, context)
    most, rules, manifest = own.most, own.portal.keys, context.manifest
    sessions = portal(context).sessions
    session = sessions.find(event.headers) if sessions and _by_session(event) else None
    models = manifest.models if most.models is None else most.models
    return {
        "id": own.caller.id,
        "name": _name(own.caller),
        "tenant": own.caller.tenant,
        "team": own.caller.team,
        "csrf": session.csrf if session else None,
        "signs_out": session is not None,
        "keys": {
            "most": rules.most,
            "longest_days": rules.longest / 86_400,
            "scopes": sorted(most.scopes),
            "models": sorted(models),
            "routes": _routes(context, most.routes or ()),
        },
    }


def _name(caller: Caller) -> str:
    """What he is called; else what his issuer, or the platform, knows him by."""
    parts = 2 if caller.scheme == "session" else 1
    return caller.owner or caller.id.split(":", parts)[-1]


def _by_session(event: Event) -> bool:
    return event.caller.scheme == "session"


def _routes(context: Context, names: Iterable[str]) -> list[dict[str, str]]:
    """In the order of the bundle."""
    wanted = frozenset(names)
    return [
        {"name": route.name, "path": route.path}
        for route in context.manifest.routes
        if route.name in wanted
    ]

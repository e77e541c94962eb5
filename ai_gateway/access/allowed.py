"""What a known caller may use: routes and models, all of them unless his credential says which.

A scope has only who was given it, and an administrator.
"""

from __future__ import annotations

from ai_gateway.contract import Caller
from ai_gateway.errors import Forbidden
from ai_gateway.manifest.model import Route


def allow(route: Route, caller: Caller) -> None:
    """Raise Forbidden unless ``caller`` may use ``route``."""
    if reason := _missing(route, caller):
        raise Forbidden(reason)


def may_call(route: Route, caller: Caller) -> bool:
    """Whether ``route`` is one of the caller's, and he has every scope that it asks for."""
    return _missing(route, caller) is None


def may_ask(model: str, caller: Caller) -> bool:
    """Whether ``model`` is one of the caller's."""
    return caller.models is None or model in caller.models


def _missing(route: Route, caller: Caller) -> str | None:
    if caller.admin:
        return None
    # A session opens the portal alone: its routes are those that its keys may be given.
    named = None if caller.scheme == "session" else caller.routes
    if named is not None and route.name not in named:
        return f"Route {route.name} is not one that this caller may call."
    if route.scopes and not (caller.scopes or frozenset()).issuperset(route.scopes):
        return f"Route {route.name} asks for the scope {', '.join(route.scopes)}."
    return None

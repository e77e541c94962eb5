"""Preflights: a browser asks whether a page may send what it wants to (WHATWG Fetch, 3.2.2).

Answered here, for declared origins and routes alone, since a browser sends no credentials with
them. Whatever else is an OPTIONS goes its usual way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import re2

from ai_gateway.dispatch import Response, unhandled

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from ai_gateway.manifest.model import Route
    from ai_gateway.wsgi import Endpoint

_PARAMETER = re.compile(r"\{\w+(:path)?\}")


class Preflights:
    """Finds the route that a preflight is for; of several the one that says most of the path."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        if any(endpoint.route.cors for endpoint in endpoints):
            ordered = sorted(endpoints, key=lambda endpoint: _vagueness(endpoint.route))
            self._places: list[tuple[Any, Endpoint]] = [
                (re2.compile(_pattern(endpoint.route)), endpoint) for endpoint in ordered
            ]
        else:
            self._places = []

    def answer(self, environ: WSGIEnvironment, path: str) -> Response | None:
        """The answer, or None for what is no preflight or may not be."""
        method = environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD")
        if method is None or not self._places:
            return None
        endpoint = self._found(method, path)
        if endpoint is None or endpoint.route.cors is None:
            return None
        route = endpoint.route
        headers = endpoint.route.cors.preflight(environ.get("HTTP_ORIGIN"), method, route.methods)
        if headers is None:
            return None
        return unhandled(Response(204, headers, b""), "OPTIONS", route, endpoint.snapshot)

    def _found(self, method: str, path: str) -> Endpoint | None:
        fitting = (
            endpoint
            for pattern, endpoint in self._places
            if method in endpoint.route.methods and pattern.fullmatch(path)
        )
        return next(fitting, None)


def _vagueness(route: Route) -> tuple[int, int]:
    """Of two routes that a path fits, the one with fewer open places counts, then the longer."""
    return route.path.count("{") + route.path.count(":path}") + bool(route.target), -len(route.path)


def _pattern(route: Route) -> str:
    """A route's path as ``wsgi.rule`` has it for Flask, as a regular expression."""
    fixed = [re.escape(part) for part in _PARAMETER.sub("\0", route.path).split("\0")]
    kinds = [".*" if kind else "[^/]+" for kind in _PARAMETER.findall(route.path)]
    whole = fixed[0] + "".join(kind + part for kind, part in zip(kinds, fixed[1:], strict=True))
    return f"{whole.rstrip('/')}/?" if not route.target else f"{whole.rstrip('/')}(/.*)?"

"""Routes have names, paths and handlers of their own; security entries meet a route."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ai_gateway.manifest.checks.finding import Finding, Location, Surroundings, nearest, plain
from ai_gateway.manifest.functions import UnknownFunction, resolve
from ai_gateway.manifest.model import Manifest


def check(manifest: Manifest, _around: Surroundings) -> Iterator[Finding]:
    """Everything that two entries can get wrong between them."""
    yield from _routes(manifest)
    yield from _handlers(manifest)
    yield from _security(manifest)


def _routes(manifest: Manifest) -> Iterator[Finding]:
    if not manifest.routes:
        yield Finding(("routes",), "no route", "at least one route; nothing else is served")
    names = Counter(route.name for route in manifest.routes)
    served: dict[tuple[str, str], str] = {}
    for index, route in enumerate(manifest.routes):
        if names[route.name] > 1:
            yield Finding(("routes", index, "name"), f"{route.name} twice", "a name of its own")
        for method in route.methods:
            other = served.setdefault((route.path, method), route.name)
            if other != route.name:
                yield Finding(
                    ("routes", index, "path"),
                    f"{method} {route.path}, which is {other}'s",
                    "a path and method that no other route has",
                )


def _handlers(manifest: Manifest) -> Iterator[Finding]:
    for index, route in enumerate(manifest.routes):
        at: Location = ("routes", index)
        if bool(route.function) == bool(route.target):
            both = "function and target" if route.function else "neither function nor target"
            yield Finding(at, both, "a function that answers, or a target to proxy to")
        if route.function:
            yield from _function((*at, "function"), route.function)
    for index, job in enumerate(manifest.jobs):
        yield from _function(("jobs", index, "function"), job.function)


def _function(at: Location, spec: str) -> Iterator[Finding]:
    try:
        resolve(spec)
    except UnknownFunction as error:
        yield Finding(at, error.found, error.wanted)


def _security(manifest: Manifest) -> Iterator[Finding]:
    """An entry that applies to no route, or contradicts it, is a problem."""
    routes = {route.path: route for route in manifest.routes}
    endpoints = Counter(entry.endpoint for entry in manifest.security)
    for index, entry in enumerate(manifest.security):
        at: Location = ("security", index)
        route = routes.get(entry.endpoint)
        if route is None:
            yield Finding((*at, "endpoint"), entry.endpoint, nearest(entry.endpoint, routes))
            continue
        if endpoints[entry.endpoint] > 1:
            yield Finding((*at, "endpoint"), f"{entry.endpoint} twice", "one entry an endpoint")
        if entry.auth and route.auth and set(entry.auth) != set(route.auth):
            yield _contradiction((*at, "auth"), entry.auth, route.auth)
        if entry.rate_limit and route.rate_limit and entry.rate_limit != route.rate_limit:
            yield _contradiction((*at, "rateLimit"), entry.rate_limit, route.rate_limit)


def _contradiction(at: Location, found: object, route: object) -> Finding:
    return Finding(at, f"{plain(found)}, but the route itself says {plain(route)}", "one of them")

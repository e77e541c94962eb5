"""Routes have names, paths and handlers of their own; security entries meet a route."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from ai_gateway.manifest.checks.finding import Finding, Location, Surroundings, nearest, plain
from ai_gateway.manifest.credentials import Credentials
from ai_gateway.manifest.functions import PROXY, UnknownFunction, resolve
from ai_gateway.manifest.model import Manifest, Route, Security

#: What says how models are asked, which a target is none of.
_OF_MODELS = frozenset({"cache", "routing", "retries", "fallback", "canary", "shadow"})
_PARAMETER = re.compile(r"\{(\w+)(?::path)?\}")


def check(manifest: Manifest, _around: Surroundings) -> Iterator[Finding]:
    """Everything that two entries can get wrong between them."""
    yield from _routes(manifest)
    yield from _handlers(manifest)
    yield from _named(manifest)
    yield from _security(manifest)


def _routes(manifest: Manifest) -> Iterator[Finding]:
    if not manifest.routes:
        yield Finding(("routes",), "no route", "at least one route; nothing else is served")
    names = Counter(route.name for route in manifest.routes)
    served: dict[tuple[str, str], str] = {}
    for index, route in enumerate(manifest.routes):
        if names[route.name] > 1:
            yield Finding(("routes", index, "name"), f"{route.name} twice", "a name of its own")
        yield from _parameters(("routes", index, "path"), route)
        shape = _PARAMETER.sub("{}", route.path).rstrip("/")
        for method in route.methods:
            other = served.setdefault((shape, method), route.name)
            if other != route.name:
                yield Finding(
                    ("routes", index, "path"),
                    f"{method} {route.path}, which is {other}'s",
                    "a path and method that no other route has",
                )


def _parameters(at: Location, route: Route) -> Iterator[Finding]:
    # A target's route has a parameter already: the path below it.
    counts = Counter(_PARAMETER.findall(route.path) + ["below"] * bool(route.target))
    if route.target and ":path}" in route.path:
        yield Finding(at, ":path and a target", "neither: what is below goes to the target anyway")
    for name, count in counts.items():
        if count > 1:
            yield Finding(at, f"{{{name}}} twice", "a name of its own for each parameter")


def _handlers(manifest: Manifest) -> Iterator[Finding]:
    for index, route in enumerate(manifest.routes):
        at: Location = ("routes", index)
        if bool(route.function) == bool(route.target):
            both = "function and target" if route.function else "neither function nor target"
            yield Finding(at, both, "a function that answers, or a target to proxy to")
        if route.function == PROXY:
            yield Finding((*at, "function"), route.function, "a target instead: it brings this")
        elif route.function:
            yield from _function((*at, "function"), route.function)
        yield from _ignored(at, route)
    for index, job in enumerate(manifest.jobs):
        yield from _function(("jobs", index, "function"), job.function)


def _ignored(at: Location, route: Route) -> Iterator[Finding]:
    """What a route of its kind has no use for: nothing is accepted and then ignored."""
    if route.credentials != Credentials() and not route.target:
        yield Finding(
            (*at, "credentials"), "credentials but no target", "them on a model or a target"
        )
    if route.target:
        for name in sorted(_OF_MODELS & route.model_fields_set):
            yield Finding((*at, name), f"{name} and a target", "one of them")


def _named(manifest: Manifest) -> Iterator[Finding]:
    """A call's ``model`` is a model's name, a route's or ``auto``: it must be one of them only."""
    if "auto" in manifest.models:
        yield Finding(("models", "auto"), "auto", "another name: this one lets the routing choose")
    for index, route in enumerate(manifest.routes):
        if "routing" in route.model_fields_set and route.name in ("auto", *manifest.models):
            yield Finding(
                ("routes", index, "name"),
                route.name,
                "a name that no model has: a request may name this route in place of a model",
            )


def _function(at: Location, spec: str) -> Iterator[Finding]:
    try:
        resolve(spec)
    except UnknownFunction as error:
        yield Finding(at, error.found, error.wanted)


def _security(manifest: Manifest) -> Iterator[Finding]:
    """An entry that applies to no route, or contradicts it, is a problem."""
    paths = {route.path for route in manifest.routes}
    endpoints = Counter(entry.endpoint for entry in manifest.security)
    for index, entry in enumerate(manifest.security):
        at: Location = ("security", index)
        if entry.endpoint not in paths:
            yield Finding((*at, "endpoint"), entry.endpoint, nearest(entry.endpoint, paths))
        if endpoints[entry.endpoint] > 1:
            yield Finding((*at, "endpoint"), f"{entry.endpoint} twice", "one entry an endpoint")
        if not entry.auth and not entry.rate_limit:
            yield Finding(at, "neither auth nor rateLimit", "what the endpoint is secured with")
        yield from _contradictions(at, entry, manifest)


def _contradictions(at: Location, entry: Security, manifest: Manifest) -> Iterator[Finding]:
    for route in manifest.routes:
        if route.path != entry.endpoint:
            continue
        if entry.auth and route.auth and set(entry.auth) != set(route.auth):
            yield _contradiction((*at, "auth"), entry.auth, route.auth)
        if entry.rate_limit and route.rate_limit and entry.rate_limit != route.rate_limit:
            yield _contradiction((*at, "rateLimit"), entry.rate_limit, route.rate_limit)


def _contradiction(at: Location, found: object, route: object) -> Finding:
    return Finding(at, f"{plain(found)}, but the route itself says {plain(route)}", "one of them")

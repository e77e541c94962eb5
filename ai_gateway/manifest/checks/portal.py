"""The portal: whole, where its page looks for it, for people alone, and no wider than it seems."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import SplitResult

from ai_gateway.manifest.checks.finding import Finding, Location, Surroundings, nearest, plain
from ai_gateway.manifest.checks.hosts import split
from ai_gateway.manifest.checks.issuers import address, loopback
from ai_gateway.manifest.model import Manifest, Route
from ai_gateway.portal.declared import (
    CALLBACK,
    COSTLY,
    OPEN,
    PATHS,
    SIGNING,
    KeyRules,
    SignIn,
    portal_function,
)

#: A key with one of these could make itself keys past the portal's bounds, or move the bounds.
_MANAGING: Final = frozenset({"admin", "keys", "policies", "routes"})
_MEMORY: Final = "memory://"


def check(manifest: Manifest, around: Surroundings) -> Iterator[Finding]:
    """Its routes, then what it declares."""
    for index, route in enumerate(manifest.secured().routes):
        yield from _route(("routes", index), route, around)
    if manifest.portal is not None:
        yield from _missing(manifest, signs_in="oidc" in around.portal)
        yield from _keys(manifest, manifest.portal.keys)
        if manifest.portal.oidc is not None:
            yield from _signing(manifest, manifest.portal.oidc)
            yield from _shared(around)


def _route(at: Location, route: Route, around: Surroundings) -> Iterator[Finding]:
    name = portal_function(route.function)
    if name is None:
        if "session" in route.auth:
            yield Finding((*at, "auth"), plain(route.auth), "session on the portal's routes alone")
        return
    if "portal" not in around.sections:
        wanted = "portal: {keys: {routes: [NAME]}}, with oidc or auth: platform"
        yield Finding((*at, "function"), f"{route.function}, and no portal", wanted)
    if route.cors is not None:
        wanted = "none: the page is of the gateway's own origin"
        yield Finding((*at, "cors"), "pages of other origins", wanted)
    if name in COSTLY and route.rate_limit is None:
        wanted = "one, such as 600/min: whoever asks is nobody yet, and is remembered for a while"
        yield Finding((*at, "rateLimit"), "none", wanted)
    if name in PATHS:
        method, path = PATHS[name]
        if (route.path, route.methods) != (path, (method,)):
            found = f"{plain(route.methods)} {route.path}"
            yield Finding((*at, "path"), found, f"{method} {path}, where the page looks for it")
        yield from _auth((*at, "auth"), name, route, around)


def _auth(at: Location, name: str, route: Route, around: Surroundings) -> Iterator[Finding]:
    if name in OPEN:
        if route.auth != ("none",):
            yield Finding(
                at, plain(route.auth) or "none at all", "none: who signs in is nobody yet"
            )
        return
    signs_in = "oidc" in around.portal
    ways = {"session"} if name in SIGNING else {"session", "platform"}
    if not route.auth or not ways.issuperset(route.auth):
        wanted = " or ".join(sorted(ways, reverse=True))
        yield Finding(at, plain(route.auth) or "none at all", f"{wanted}: it is for people alone")
    elif "portal" in around.sections and ("session" in route.auth) is not signs_in:
        wanted = "session too: people sign in" if signs_in else "platform, or portal.oidc as well"
        yield Finding(at, plain(route.auth), wanted)


def _missing(manifest: Manifest, *, signs_in: bool) -> Iterator[Finding]:
    functions = (portal_function(route.function) for route in manifest.routes)
    there = {name for name in functions if name is not None}
    wanted = PATHS.keys() - (set() if signs_in else SIGNING)
    for name in sorted(wanted - there):
        method, path = PATHS[name]
        found = f"no route with functions.portal.{name}:handle"
        yield Finding(("portal",), found, f"one, {method} {path}")
    for name in sorted(there & (set() if signs_in else SIGNING)):
        found = f"functions.portal.{name}:handle, and no portal.oidc"
        yield Finding(("portal",), found, "portal.oidc, or no such route")


def _keys(manifest: Manifest, rules: KeyRules) -> Iterator[Finding]:
    at: Location = ("portal", "keys")
    routes = {route.name: route for route in manifest.secured().routes}
    for name in rules.routes:
        if name not in routes:
            yield Finding((*at, "routes"), name, nearest(name, routes))
        elif "api-key" not in routes[name].auth:
            yield Finding((*at, "routes"), name, "a route with auth: api-key, as these are keys")
    for name in rules.models or ():
        if name not in manifest.models:
            yield Finding((*at, "models"), name, nearest(name, manifest.models))
    for name in sorted(_MANAGING & set(rules.scopes)):
        yield Finding((*at, "scopes"), name, "scopes that make no keys and change no bundle")
    if rules.scopes and not _MANAGING & set(rules.scopes) and not _said_scopes(manifest):
        wanted = "claims.scopes of portal.oidc or its issuer: nobody gives what he has not"
        yield Finding((*at, "scopes"), plain(rules.scopes), wanted)


def _said_scopes(manifest: Manifest) -> bool:
    """Whether anything tells which scopes a person has."""
    oidc = manifest.portal.oidc if manifest.portal else None
    if oidc is None:
        return False
    issuers = (issuer.claims for issuer in manifest.jwt if issuer.name == oidc.issuer)
    claims = oidc.claims or next(issuers, None)
    return claims is not None and claims.scopes is not None


def _signing(manifest: Manifest, oidc: SignIn) -> Iterator[Finding]:
    at: Location = ("portal", "oidc")
    issuers = {issuer.name: issuer for issuer in manifest.jwt}
    if oidc.issuer not in issuers:
        wanted = f"the name of an entry of jwt: {nearest(oidc.issuer, issuers)}"
        yield Finding((*at, "issuer"), oidc.issuer, wanted)
    elif not (oidc.authorization_url and oidc.token_url):
        for found in address((*at, "issuer"), issuers[oidc.issuer].issuer, query=False):
            wanted = "an issuer https://HOST, or authorization_url and token_url"
            yield Finding(found.at, "an issuer without a configuration", wanted)
    for name in ("authorization_url", "token_url"):
        url = getattr(oidc, name)
        if url is not None:
            yield from _url((*at, name), url)
    yield from _redirect((*at, "redirect_url"), oidc.redirect_url)
    if "openid" not in oidc.scopes:
        yield Finding((*at, "scopes"), plain(oidc.scopes), "openid among them: it asks who it is")
    if oidc.idle > oidc.session:
        yield Finding((*at, "idle"), "longer than session", "as long as session, or shorter")


def _url(at: Location, url: str) -> Iterator[Finding]:
    if not (url.isascii() and url.isprintable() and " " not in url):
        yield Finding(at, "no such URL", "https://HOST/..., without spaces")
    else:
        yield from address(at, url, query=True)


def _redirect(at: Location, url: str) -> Iterator[Finding]:
    parts = split(url)
    if parts is None or not url.isascii() or url != f"{_origin(parts)}{CALLBACK}":
        wanted = f"https://HOST{CALLBACK} as browsers write it: in lower case, without :443"
        yield Finding(at, None, wanted)
    elif parts.scheme == "http" and not loopback(parts.hostname or ""):
        yield Finding(at, None, "https: over http anybody on the way could be this person")


def _origin(parts: SplitResult) -> str:
    """As browsers send it, who are compared with it (WHATWG HTML, 7.1.1)."""
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    own = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}{'' if parts.port in (None, own) else f':{parts.port}'}"


def _shared(around: Surroundings) -> Iterator[Finding]:
    if around.serving and around.workers > 1 and around.settings.state == _MEMORY:
        yield Finding(
            ("GATEWAY_STATE",),
            f"{_MEMORY} with {around.workers} workers and a portal where people sign in",
            "redis://HOST, or one worker: a session of one is unknown to the others",
        )

"""Whoever `auth: jwt` believes is declared, and his keys come from where nobody else puts any."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator

from ai_gateway.access.issuer import Issuer
from ai_gateway.access.keyset import Unusable, parsed, read_file
from ai_gateway.manifest.checks.finding import Finding, Location, Surroundings
from ai_gateway.manifest.checks.hosts import link_local, split
from ai_gateway.manifest.model import Manifest


def check(manifest: Manifest, around: Surroundings) -> Iterator[Finding]:
    """Every issuer by itself, then beside the others and the routes."""
    used = list(_used(manifest))
    if used and "jwt" not in around.sections:
        wanted = "jwt: [{issuer: https://HOST, audience: NAME}], or api-key or platform here"
        yield Finding(used[0], "auth: jwt, and no issuer", wanted)
    if manifest.jwt and not used and "oidc" not in around.portal:
        yield Finding(("jwt",), "an issuer, and no route that takes jwt", "auth: jwt on a route")
    issuers = Counter(issuer.issuer for issuer in manifest.jwt)
    names = Counter(issuer.name for issuer in manifest.jwt)
    for index, issuer in enumerate(manifest.jwt):
        at: Location = ("jwt", index)
        if issuers[issuer.issuer] > 1:
            yield Finding((*at, "issuer"), "an issuer that stands twice", "each of them once")
        elif names[issuer.name] > 1:
            yield Finding((*at, "name"), f"{issuer.name} twice", "a name of its own")
        yield from _keys(at, issuer, serving=around.serving)
        yield from _ignored(at, issuer)


def _used(manifest: Manifest) -> Iterator[Location]:
    """Where jwt is asked for."""
    accepted = (
        ("routes", [route.auth for route in manifest.routes]),
        ("security", [entry.auth for entry in manifest.security]),
    )
    for name, each in accepted:
        for index, auth in enumerate(each):
            if "jwt" in auth:
                yield (name, index, "auth")


def _keys(at: Location, issuer: Issuer, *, serving: bool) -> Iterator[Finding]:
    """Where its keys are: one place, and a safe one."""
    if issuer.jwks_url is not None and issuer.jwks_file is not None:
        yield Finding((*at, "jwks_file"), "jwks_file and jwks_url", "one of them")
    elif issuer.jwks_file is not None:
        if serving:  # a job verifies nothing
            yield from _file((*at, "jwks_file"), issuer.jwks_file, issuer)
    elif issuer.jwks_url is not None:
        yield from address((*at, "jwks_url"), issuer.jwks_url, query=True)
    else:
        yield from address((*at, "issuer"), issuer.issuer, query=False)


def _file(at: Location, path: str, issuer: Issuer) -> Iterator[Finding]:
    try:
        parsed(read_file(path), issuer.algorithms)
    except Unusable as error:
        yield Finding(at, str(error), "a file with the issuer's key set")


def address(at: Location, url: str, *, query: bool) -> Iterator[Finding]:
    """What keeps ``url`` from being one where an issuer is asked."""
    parts = split(url)
    if parts is None or parts.fragment or (parts.query and not query):
        wanted = "https://HOST/..., without a user" if query else "https://HOST/..., or jwks_url"
        yield Finding(at, "no such URL", wanted)
    elif link_local(parts.hostname or ""):
        yield Finding(at, None, "a host that is not link-local: those hold credentials")
    elif parts.scheme == "http" and not loopback(parts.hostname or ""):
        yield Finding(at, None, "https: keys that come over http may be anybody's")


def loopback(host: str) -> bool:
    """Whether ``host`` is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _ignored(at: Location, issuer: Issuer) -> Iterator[Finding]:
    """What has no effect, or no place to come from."""
    if issuer.claims.tenant and "tenant" in issuer.model_fields_set:
        yield Finding((*at, "tenant"), "tenant and claims.tenant", "one of them")
    if issuer.required_scopes and not issuer.claims.scopes:
        wanted = "claims.scopes too: where a token says them, such as scope"
        yield Finding((*at, "required_scopes"), "required_scopes alone", wanted)
    if issuer.ttl > issuer.max_age:
        yield Finding((*at, "max_age"), "less than ttl", "as long as ttl, or longer")

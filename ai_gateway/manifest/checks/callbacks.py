"""Whoever is told of events is one that may be, and can tell that they come from here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ai_gateway.addresses import listed, literal, public
from ai_gateway.manifest.checks.asking import SILENT
from ai_gateway.manifest.checks.finding import Finding, Location, Surroundings
from ai_gateway.manifest.checks.hosts import link_local, split
from ai_gateway.manifest.model import Manifest
from ai_gateway.webhooks import receivers, signing
from ai_gateway.webhooks.declared import OF_GATEWAY, OF_REQUEST, Callback

_VARIABLE: Final = "GATEWAY_WEBHOOK_SECRET"


def check(manifest: Manifest, around: Surroundings) -> Iterator[Finding]:
    """Every callback: its address, its secret, and whether it is ever told of anything."""
    found: list[tuple[Location, Callback]] = []
    if manifest.callback is not None:
        found.append((("callback",), manifest.callback))
    for index, route in enumerate(manifest.routes):
        if route.callback is not None:
            at: Location = ("routes", index, "callback")
            found.append((at, route.callback))
            yield from _never(at, route.callback, route.function)
    hosts, shared = receivers.allowed(manifest), around.settings.webhook_secrets
    for at, callback in found:
        yield from _url(at, callback.url, hosts)
        yield from _own(at, callback)
    if any(not callback.secret for _, callback in found):
        yield from _shared(shared)


def _never(at: Location, callback: Callback, function: str | None) -> Iterator[Finding]:
    """What a route's callback is not told."""
    for name in callback.events or ():
        if name in OF_GATEWAY:
            wanted = f"one of {', '.join(OF_REQUEST)}; the others are of the bundle's own callback"
            yield Finding((*at, "events"), name, wanted)
    if function in SILENT:
        found = f"callback and {function}, whose answers are not recorded"
        yield Finding(at, found, "it on a route that asks a model, or a target")


def _url(at: Location, url: str, hosts: Sequence[str]) -> Iterator[Finding]:
    parts = split(url)
    if parts is None or parts.fragment:  # not shown: it could hold a password
        yield Finding(at, "no such URL", "https://HOST/..., without a user")
        return
    host = parts.hostname or ""
    spelled = literal(host)
    if link_local(host):
        yield Finding(at, None, "a host that is not link-local: those hold credentials")
    elif listed(host, hosts):
        return
    elif parts.scheme == "http":
        yield Finding(at, None, "https, or a host of allowed_hosts")
    elif spelled is not None and not public(spelled):
        yield Finding(at, None, "an address of the public internet, or one of allowed_hosts")


def _own(at: Location, callback: Callback) -> Iterator[Finding]:
    if not all(_usable(each.get_secret_value()) for each in callback.secret):
        yield Finding((*at, "secret"), "no such secret", signing.WANTED)


def _shared(secrets: Sequence[str]) -> Iterator[Finding]:
    if not secrets:
        found = "not set, and a callback without a secret of its own"
        yield Finding((_VARIABLE,), found, signing.WANTED)
    elif len(secrets) > 2:  # noqa: PLR2004 - one, and the one that takes its place
        yield Finding((_VARIABLE,), f"{len(secrets)} secrets", "one, or two with a space between")
    elif not all(map(_usable, secrets)):
        yield Finding((_VARIABLE,), "no such secret", signing.WANTED)


def _usable(text: str) -> bool:
    try:
        signing.secret(text)
    except ValueError:
        return False
    return True

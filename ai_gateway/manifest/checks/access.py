"""Somebody must be able to reach and call each route, and every limit must be one."""

from __future__ import annotations

from collections.abc import Iterator

from ai_gateway.manifest.checks.finding import Finding, Location, Surroundings, plain
from ai_gateway.manifest.model import Manifest, Route
from ai_gateway.settings import PORTS, Settings

_MAX_PORT = 65535


def check(manifest: Manifest, around: Surroundings) -> Iterator[Finding]:
    """The port, keys, the platform's identity, and where limits are counted."""
    if around.serving:
        yield from _port(around.settings)
        yield from _access(manifest, around)


def _port(settings: Settings) -> Iterator[Finding]:
    for name in PORTS:
        port = settings.variables.get(name)
        if port and not (port.isascii() and port.isdigit() and int(port) <= _MAX_PORT):
            yield Finding((name,), repr(port), f"a port: 0 to {_MAX_PORT}")


def _access(manifest: Manifest, around: Surroundings) -> Iterator[Finding]:
    settings = around.settings
    key = settings.admin_key
    if key is not None and not key.strip():
        yield Finding(("AI_GATEWAY_API_KEY",), "an empty key", "a long random one, or none at all")
    platform = settings.on_cai and settings.trust_platform and around.loopback
    if settings.variables.get("GATEWAY_TRUST_PLATFORM", "") not in {"", "0", "1"}:
        yield Finding(("GATEWAY_TRUST_PLATFORM",), "neither 0 nor 1", "1 to trust the platform")
    for index, route in enumerate(manifest.secured().routes):
        usable = {
            "none": True,
            "jwt": True,  # what it needs is checked beside the issuers
            "session": True,  # the same, beside the portal
            # Where the platform tells who calls, what is for keys alone stays closed without one.
            "api-key": bool(key and key.strip()) or platform,
            "platform": platform,
        }
        if route.auth and not any(usable[scheme] for scheme in route.auth):
            yield Finding(_place(manifest, index), plain(route.auth), _missing(route))


def _place(manifest: Manifest, index: int) -> Location:
    """Where the auth of a route stands: on itself, or in the security entry that meets it."""
    route = manifest.routes[index]
    if route.auth:
        return ("routes", index, "auth")
    endpoints = [entry.endpoint for entry in manifest.security]
    return ("security", endpoints.index(route.path), "auth")


def _missing(route: Route) -> str:
    ways = []
    if "api-key" in route.auth:
        ways.append("the variable AI_GATEWAY_API_KEY set: there is no default key")
    if "platform" in route.auth:
        ways.append("a process on CAI, bound to 127.0.0.1, with GATEWAY_TRUST_PLATFORM=1")
    return ", or ".join(ways)

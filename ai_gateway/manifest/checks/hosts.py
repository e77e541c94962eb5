"""Where routes may be proxied to: hosts that the operator named, never link-local ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import SplitResult, urlsplit

from ai_gateway.addresses import forbidden, listed, literal
from ai_gateway.manifest.checks.finding import Finding, Location, Surroundings
from ai_gateway.manifest.model import Manifest


def check(manifest: Manifest, _around: Surroundings) -> Iterator[Finding]:
    """The target of every proxied route."""
    for index, route in enumerate(manifest.routes):
        if route.target is None:
            continue
        at: Location = ("routes", index, "target")
        url = split(route.target)
        if url is None or url.query or url.fragment:
            yield Finding(at, "no such URL", "http://HOST:PORT, without a user or query")
        elif link_local(url.hostname or ""):
            yield Finding(at, None, "a host that is not link-local: those hold credentials")
        elif manifest.allowed_hosts is not None and not allowed(
            url.hostname or "", manifest.allowed_hosts
        ):
            hosts = ", ".join(manifest.allowed_hosts) or "none"
            yield Finding(at, None, f"a host of allowed_hosts: {hosts}")


def allowed(host: str, allowed_hosts: Iterable[str]) -> bool:
    """Whether ``host`` stands in ``allowed_hosts``, by name or inside a network."""
    return listed(host, tuple(allowed_hosts))


def link_local(host: str) -> bool:
    """Whether ``host`` is a link-local address, in whatever spelling."""
    spelled = literal(host)
    return spelled is not None and forbidden(spelled)


def split(url: str) -> SplitResult | None:
    """The parts of an http(s) URL with a host and no user, or None."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if usable and "@" not in parts.netloc else None

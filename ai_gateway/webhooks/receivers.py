"""Who is told: the callbacks of one bundle, with their secrets and the hosts that they may have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ai_gateway.addresses import literal
from ai_gateway.webhooks import signing
from ai_gateway.webhooks.declared import OF_GATEWAY, OF_REQUEST, Callback, Redelivery

if TYPE_CHECKING:
    from ai_gateway.manifest.model import Manifest

#: The name of the bundle's own callback, which no route can have.
BUNDLE: Final = "(bundle)"


@dataclass(frozen=True, slots=True)
class Receiver:
    """One callback, ready to be sent to. ``name`` is its route's, or BUNDLE."""

    name: str
    url: str = field(repr=False)
    secrets: tuple[bytes, ...] = field(repr=False)
    events: frozenset[str]
    timeout: float
    retries: Redelivery
    allowed_hosts: tuple[str, ...]
    ca_file: str | None


def receivers(manifest: Manifest, shared: Sequence[str]) -> dict[str, Receiver]:
    """The receivers of a bundle that checked, by name.

    ``shared`` are the secrets of those that have none of their own.
    """
    hosts = allowed(manifest)
    return {
        name: Receiver(
            name=name,
            url=callback.url,
            secrets=tuple(map(signing.secret, secrets(callback, shared))),
            events=frozenset(callback.events or (OF_REQUEST + OF_GATEWAY)),
            timeout=callback.timeout,
            retries=callback.retries,
            allowed_hosts=hosts,
            ca_file=callback.ca_file,
        )
        for name, callback in declared(manifest)
    }


def declared(manifest: Manifest) -> Iterator[tuple[str, Callback]]:
    """Every callback with its name."""
    if manifest.callback is not None:
        yield BUNDLE, manifest.callback
    for route in manifest.routes:
        if route.callback is not None:
            yield route.name, route.callback


def secrets(callback: Callback, shared: Sequence[str]) -> Sequence[str]:
    """What its events are signed with, as it is written."""
    own = [each.get_secret_value() for each in callback.secret]
    return own or shared


def allowed(manifest: Manifest) -> tuple[str, ...]:
    """The hosts that need not be of the public internet.

    A name without a dot is one of the operator's own network: no public name is so short. Where
    there is no ``allowed_hosts``, writing it down is listing it (decision 011).
    """
    if manifest.allowed_hosts is not None:
        return manifest.allowed_hosts
    hosts = (_host(callback.url) for _, callback in declared(manifest))
    return tuple(sorted({host for host in hosts if _of_own_network(host)}))


def _of_own_network(host: str) -> bool:
    return bool(host) and "." not in host and host != "localhost" and literal(host) is None


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""

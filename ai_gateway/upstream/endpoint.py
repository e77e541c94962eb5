"""Where an upstream is and how it is reached: the transports, shared by all that have an origin."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus

import httpcore
import httpx

from ai_gateway.clock import Clock
from ai_gateway.errors import UpstreamUnreachable
from ai_gateway.upstream import address, http11, request
from ai_gateway.upstream.credentials import Credential
from ai_gateway.upstream.pool import Connection, Dial, Pool, Transport
from ai_gateway.upstream.surroundings import Client, Surroundings
from ai_gateway.upstream.wire import Network

_PATHS = 100  # of one endpoint that are remembered
_SWEEP = 10.0  # seconds between looks at connections that nobody uses

Key = tuple[str, bytes, int, int, tuple[str, ...] | None, bool]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One upstream, with everything about it that is the same for each call."""

    #: How a sentence about it begins: ``The model NAME``.
    who: str
    url: httpx.URL
    transport: Transport
    credential: Credential
    headers: tuple[tuple[bytes, bytes], ...]
    #: The header that the token goes into as it is; ``Authorization: Bearer`` if there is none.
    key_header: bytes | None
    #: Seconds to connect and to the first byte, under httpx's names for them.
    timeout: Mapping[str, float]
    _below: dict[str, httpx.URL] = field(default_factory=dict, repr=False)

    def below(self, path: str) -> httpx.URL:
        """The URL of an API's ``path``, of which there are few."""
        found = self._below.get(path)
        if found is None:
            if len(self._below) >= _PATHS:
                self._below.clear()
            found = self._below[path] = request.url(self.url, path)
        return found

    def signed(self, token: str) -> tuple[bytes, bytes]:
        """The header that carries ``token``."""
        value = token.encode("ascii")
        if self.key_header is not None:
            return self.key_header, value
        return b"authorization", b"Bearer " + value


@dataclass(frozen=True, slots=True)
class Place:
    """What tells one pool of connections from another."""

    who: str
    url: httpx.URL
    limit: int
    ca_file: str | None = None
    allowed: tuple[str, ...] | None = None
    #: Whether addresses of the public internet are allowed beside them.
    internet: bool = False
    #: The client's own certificate and its key.
    client: Client | None = None


class Transports:
    """One transport for each origin, set of certificates, bound and list of allowed hosts."""

    def __init__(
        self, clock: Clock, surroundings: Surroundings, resolve: address.Resolve, idle: float
    ) -> None:
        self._clock = clock
        self._surroundings = surroundings
        self._resolve = resolve
        self._idle = idle
        self._lock = threading.Lock()
        self._transports: dict[Key, Transport] = {}
        self._sweep_at = clock.monotonic() + _SWEEP

    def transport(self, place: Place) -> Transport:
        """The transport; raises UpstreamUnreachable for a file or proxy that is unusable."""
        context = self._surroundings.context(place.ca_file, place.client)
        origin = place.url.scheme, place.url.netloc
        key = (*origin, id(context), place.limit, place.allowed, place.internet)
        with self._lock:
            if key not in self._transports:
                pool = self._pool(place, context)
                self._transports[key] = Transport(pool, context)
            return self._transports[key]

    def sweep(self) -> None:
        """Now and then, close connections that have lain idle too long; cheap to call always."""
        now = self._clock.monotonic()
        if now < self._sweep_at:
            return
        self._sweep_at = now + _SWEEP
        for transport in self._all():
            transport.pool.sweep()

    def close(self) -> None:
        """Close every connection."""
        for transport in self._all():
            transport.close()

    def _all(self) -> list[Transport]:
        with self._lock:
            return list(self._transports.values())

    def _pool(self, place: Place, context: ssl.SSLContext) -> Pool:
        proxy = self._surroundings.proxy(place.url.scheme, place.url.host)
        if proxy is None:
            network = Network(self._clock, self._resolve, place.allowed, place.internet)
            return Pool(direct(place.url, context, self._idle, self._clock), network, place.limit)
        try:
            address.check_name(place.url.host, place.allowed, internet=place.internet)
        except address.AddressRefused as error:
            raise UpstreamUnreachable(
                f"{place.who} may not be connected to: {error}.", HTTPStatus.BAD_GATEWAY
            ) from None
        network = Network(self._clock, self._resolve)
        ahead = self._surroundings.context(place.ca_file)  # a proxy need not know who we are
        return Pool(through(proxy, place.url, (ahead, context), self._idle), network, place.limit)


def parsed(who: str, text: str) -> httpx.URL:
    """``text`` as a URL; raises UpstreamUnreachable if it is none, or carries credentials."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise UpstreamUnreachable(
            f"{who} has a URL that is no http or https address.", HTTPStatus.BAD_GATEWAY
        )
    if url.userinfo:
        raise UpstreamUnreachable(
            f"{who} has credentials in its URL; they belong under credentials.",
            HTTPStatus.BAD_GATEWAY,
        )
    return url


def direct(url: httpx.URL, context: ssl.SSLContext, idle: float, clock: Clock) -> Dial:
    """Connections to ``url``'s origin."""
    context.set_alpn_protocols(["http/1.1"])
    return partial(http11.Connection, _url(url), context, idle, clock)


def through(
    proxy: httpx.Proxy, url: httpx.URL, contexts: tuple[ssl.SSLContext, ssl.SSLContext], idle: float
) -> Dial:
    """Connections to ``url``'s origin by way of ``proxy``; the proxy's context comes first."""
    origin = _url(url).origin

    def dial(network: httpcore.NetworkBackend) -> Connection:
        # httpcore's pool for proxies is used for its one connection to make, not as a pool.
        return httpcore.HTTPProxy(
            _url(proxy.url),
            proxy_auth=proxy.raw_auth,
            ssl_context=contexts[1],
            proxy_ssl_context=contexts[0] if proxy.url.scheme == "https" else None,
            max_connections=1,
            keepalive_expiry=idle,
            network_backend=network,
        ).create_connection(origin)

    return dial


def _url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )

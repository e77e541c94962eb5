"""The public keys that tokens are verified by, followed live.

A thread of its own fetches them anew before they are too old, so that a request finds them there.
It waits, for at most the issuer's ``timeout``, only where there are none yet, and where a token
names a key that is not among them: at most once a minute, or whoever sends made-up names would
have the gateway call the issuer as often as he likes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from threading import Condition, Lock
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from ai_gateway.access.issuer import Issuer
from ai_gateway.access.keyset import MAX_DOCUMENT, KeySet, Unusable, json_object, parsed, read_file
from ai_gateway.clock import Clock
from ai_gateway.errors import GatewayError, IssuerUnavailable
from ai_gateway.metrics import Metrics
from ai_gateway.resilience.aside import Aside
from ai_gateway.upstream import Cancel, ProxyRequest, Upstreams
from ai_gateway.watch import Watch

if TYPE_CHECKING:
    from jwt import PyJWK

log = logging.getLogger(__name__)

RETRY = 10.0  # seconds after a fetch that failed before the next
UNKNOWN = 60.0  # seconds between fetches that a token's unknown key brings about

_ISSUERS = 64  # whose keys are fetched at once
_FETCH = 10.0  # seconds that a fetch may take, with nobody waiting for it
DISCOVERY = "/.well-known/openid-configuration"  # below the issuer (OpenID Connect Discovery, 4)


class Source(NamedTuple):
    """All of an issuer's declaration that its keys depend on."""

    name: str
    issuer: str
    url: str | None
    file: str | None
    algorithms: tuple[str, ...]
    ttl: float
    max_age: float
    timeout: float

    @classmethod
    def of(cls, issuer: Issuer) -> Source:
        """That of ``issuer``."""
        return cls(
            name=issuer.name,
            issuer=issuer.issuer,
            url=issuer.jwks_url,
            file=issuer.jwks_file,
            algorithms=tuple(issuer.algorithms),
            ttl=issuer.ttl,
            max_age=issuer.max_age,
            timeout=issuer.timeout,
        )


class Fetcher:
    """The way to issuers' keys: the addresses in the operator's file, and no other host.

    Redirects are not followed; link-local addresses are refused, as for any upstream.
    """

    def __init__(self, clock: Clock, environment: Mapping[str, str]) -> None:
        self._clock = clock
        self._upstreams = Upstreams(clock, environment, max_response=MAX_DOCUMENT)

    def document(self, source: Source, cancel: Cancel) -> bytes:
        """The key set as it comes; raises Unusable, or what an upstream's failure raises."""
        if source.file is not None:
            return read_file(source.file)
        deadline = self._clock.monotonic() + _FETCH
        get = partial(self._get, source.name, deadline=deadline, cancel=cancel)
        if source.url is not None:
            return get(source.url)
        return get(discovered(source.issuer, get(source.issuer.rstrip("/") + DISCOVERY)))

    def close(self) -> None:
        """Close every connection."""
        self._upstreams.close()

    def _get(self, name: str, url: str, *, deadline: float, cancel: Cancel) -> bytes:
        parts = urlsplit(url)
        request = ProxyRequest(
            name=f"{name} (its keys)",
            target=url,
            method="GET",
            path="/" if parts.path.endswith("/") else "",
            query=parts.query,
            headers={"accept": "application/json", "user-agent": "ai-gateway"},
            max_connections=2,
        )
        reply = self._upstreams.relay(request, deadline, cancel=cancel)
        if reply.status != HTTPStatus.OK:
            raise Unusable(f"an answer with the status {reply.status}")
        return reply.body


def discovered(issuer: str, document: bytes) -> str:
    """Where ``issuer``'s OpenID configuration says that its keys are; raises Unusable.

    It must be of this issuer (OpenID Connect Discovery, 4.3), and the keys on its own origin: no
    document that came over the network names a host for the gateway to call.
    """
    configuration = json_object(document)
    if configuration.get("issuer") != issuer:
        raise Unusable("the OpenID configuration of another issuer")
    url = configuration.get("jwks_uri")
    if not isinstance(url, str) or origin(url) != origin(issuer):
        raise Unusable("a jwks_uri that is not on the issuer's own host: name it as jwks_url")
    return url


def origin(url: str) -> tuple[str, str] | None:
    """The scheme and the host with its port; None for what is no URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts.scheme, parts.netloc


class Keys:
    """The keys of one issuer; they outlive reloads, and any thread may ask for one."""

    def __init__(
        self,
        source: Source,
        fetch: Callable[[Source, Cancel], bytes],
        aside: Aside,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self.source = source
        self._fetch = fetch
        self._aside = aside
        self._clock = clock
        self._metrics = metrics
        self._known: KeySet | None = None
        self._fetched = self._due = self._began = clock.monotonic()
        self._unknown = self._due - UNKNOWN
        self._running = False
        self._changed = Condition()

    def current(self) -> KeySet | None:
        """The keys that are good now: None before the first fetch, and after ``max_age``."""
        if self._clock.monotonic() - self._fetched > self.source.max_age:
            return None
        return self._known

    def find(self, name: str | None, algorithm: str) -> tuple[KeySet, PyJWK | None]:
        """The keys, and the one of that name; raises IssuerUnavailable while there are none.

        Where it is not among them it may be new, so the issuer is asked, at most once a minute.
        """
        known = self.current() or self._first()
        key = known.find(name, algorithm)
        if key is None and self._may_ask():
            self._wait()
            known = self.current() or known
            key = known.find(name, algorithm)
        return known, key

    def follow(self) -> None:
        """Begin to fetch if it is time; cheap to call always."""
        with self._changed:
            if self._clock.monotonic() >= self._due:
                self._begin()

    def _first(self) -> KeySet:
        with self._changed:
            due = self._clock.monotonic() >= self._due
        if due or self._running:
            self._wait()
        known = self.current()
        if known is None:
            message = f"The keys of {self.source.name} cannot be had, so no token can be verified."
            raise IssuerUnavailable(message, retry_after=int(RETRY))
        return known

    def _may_ask(self) -> bool:
        now = self._clock.monotonic()
        with self._changed:
            allowed = self._running or now - self._unknown >= UNKNOWN
            if allowed and not self._running:
                self._unknown = now
        return allowed

    def _wait(self) -> None:
        """Until the fetch has ended that is under way, or begins now.

        At most ``timeout`` after its beginning: of a slow one not each request waits that long.
        """
        with self._changed:
            self._begin()
            left = self._began + self.source.timeout - self._clock.monotonic()
            self._changed.wait_for(lambda: not self._running, max(left, 0))

    def _begin(self) -> None:
        if not self._running:
            self._began = self._clock.monotonic()
            self._running = self._aside.run("keys", _ISSUERS, self._work)

    def _work(self, cancel: Cancel) -> None:
        found = None
        try:
            document = self._fetch(self.source, cancel)
            known = self._known
            if known is not None and known.document == document:
                found = known  # the same object: what was verified by it still holds
            else:
                found = parsed(document, self.source.algorithms)
        except Unusable as error:
            log.warning("the keys of issuer %s cannot be had: %s", self.source.name, error)
        except GatewayError as error:
            log.warning("the keys of issuer %s cannot be had: %s", self.source.name, error.message)
        finally:
            self._end(found)

    def _end(self, found: KeySet | None) -> None:
        now = self._clock.monotonic()
        outcome = "failed" if found is None else "done"
        self._metrics.key_sets.labels(self.source.name, outcome).inc()
        with self._changed:
            if found is not None:
                self._known, self._fetched = found, now
            self._due = now + (RETRY if found is None else self.source.ttl)
            self._running = False
            self._changed.notify_all()


class KeyRing:
    """The keys of every issuer, one Keys for each source, followed by one thread."""

    def __init__(
        self,
        clock: Clock,
        environment: Mapping[str, str],
        metrics: Metrics,
        *,
        every: float = 1.0,
    ) -> None:
        self._clock = clock
        self._metrics = metrics
        self._fetcher = Fetcher(clock, environment)
        self._aside = Aside()
        self._lock = Lock()
        self._keys: dict[Source, Keys] = {}
        self._watch = Watch("issuers", every, self.look)

    def of(self, issuer: Issuer) -> Keys:
        """The keys of ``issuer``, those that are known by now among them."""
        source = Source.of(issuer)
        with self._lock:
            if source not in self._keys:
                self._keys[source] = Keys(
                    source, self._fetcher.document, self._aside, self._clock, self._metrics
                )
            return self._keys[source]

    def keep(self, issuers: tuple[Issuer, ...]) -> None:
        """Forget the keys of all others."""
        sources = {Source.of(issuer) for issuer in issuers}
        with self._lock:
            self._keys = {source: keys for source, keys in self._keys.items() if source in sources}

    def look(self) -> None:
        """Begin to fetch what is due."""
        with self._lock:
            found = list(self._keys.values())
        for keys in found:
            keys.follow()

    def start(self) -> KeyRing:
        """Fetch now and from now on."""
        self.look()
        self._watch.start()
        return self

    def close(self) -> None:
        """Stop following, end what is under way, and close every connection."""
        self._watch.stop()
        self._aside.close()
        self._fetcher.close()

"""The way to an OpenID provider: where people sign in, and who a code stands for.

Called are the addresses in the operator's file, or those on the issuer's own origin that its
configuration names; never one that a request brought. Redirects are not followed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from threading import BoundedSemaphore, Lock
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from ai_gateway.access.issuer import Issuer
from ai_gateway.access.jwks import DISCOVERY, RETRY, origin
from ai_gateway.access.keyset import MAX_DOCUMENT, Unusable, json_object
from ai_gateway.clock import Clock
from ai_gateway.errors import GatewayError, IssuerUnavailable
from ai_gateway.portal.declared import SignIn
from ai_gateway.upstream import ProxyRequest, Upstreams

log = logging.getLogger(__name__)

_PATIENCE: Final = 10.0  # seconds that a person waits for his issuer
#: Questions to an issuer; whoever comes beyond them is told to try again, so that one that hangs
#: holds no more of the gateway's threads.
_AT_ONCE: Final = 16
_FORM: Final = "application/x-www-form-urlencoded"


class Endpoints(NamedTuple):
    """Where an issuer's people sign in, and where it takes codes."""

    authorization: str
    token: str


class Refused(Exception):
    """The issuer did not take the code, or gave nothing for it; the message quotes nothing."""


class Provider:
    """One issuer, as one client of it. Any thread may ask it."""

    def __init__(
        self, declared: SignIn, issuer: Issuer, clock: Clock, environment: Mapping[str, str]
    ) -> None:
        self._declared = declared
        self._issuer = issuer
        self._clock = clock
        self._upstreams = Upstreams(clock, environment, max_response=MAX_DOCUMENT)
        self._lock = Lock()
        self._asking = BoundedSemaphore(_AT_ONCE)
        self._known: Endpoints | None = None
        self._due = clock.monotonic()

    def endpoints(self) -> Endpoints:
        """Both addresses; raises IssuerUnavailable while they are not known."""
        declared = self._declared
        if declared.authorization_url and declared.token_url:
            return Endpoints(declared.authorization_url, declared.token_url)
        if self._clock.monotonic() >= self._due:
            # One looks; who has an older answer does not wait for him.
            patience = 0.0 if self._known else self._issuer.timeout
            if self._lock.acquire(timeout=patience):
                try:
                    self._look()
                finally:
                    self._lock.release()
        if self._known is None:
            raise self._away()
        return self._known

    def exchange(self, code: str, verifier: str) -> str:
        """The ID token that ``code`` stands for (RFC 6749, 4.1.3; RFC 7636, 4.5).

        Raises Refused, or IssuerUnavailable where there is no answer.
        """
        declared, secret = self._declared, self._declared.client_secret
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": declared.redirect_url,
            "client_id": declared.client_id,
            "code_verifier": verifier,
        }
        if secret is not None:
            form["client_secret"] = secret.get_secret_value()
        try:
            answer = json_object(self._ask(self.endpoints().token, form))
        except Unusable as error:
            raise Refused(str(error)) from None
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise Refused("an answer without an id_token")
        return token

    def close(self) -> None:
        """Close every connection."""
        self._upstreams.close()

    def _look(self) -> None:
        now = self._clock.monotonic()
        if now < self._due:
            return
        try:
            self._known = self._discovered()
            self._due = now + self._issuer.ttl
        except (Unusable, GatewayError) as error:
            why = error.message if isinstance(error, GatewayError) else str(error)
            log.warning("people cannot sign in at %s: %s", self._issuer.name, why)
            self._due = now + RETRY

    def _discovered(self) -> Endpoints:
        issuer, declared = self._issuer.issuer, self._declared
        configuration = json_object(self._ask(issuer.rstrip("/") + DISCOVERY, None))
        if configuration.get("issuer") != issuer:
            raise Unusable("the OpenID configuration of another issuer")
        return Endpoints(
            declared.authorization_url or self._own(configuration, "authorization_endpoint"),
            declared.token_url or self._own(configuration, "token_endpoint"),
        )

    def _own(self, configuration: Mapping[str, Any], name: str) -> str:
        """An address of the configuration, which must be on the issuer's own origin."""
        url = configuration.get(name)
        right = isinstance(url, str) and url.isascii() and url.isprintable()
        if not right or origin(str(url)) != origin(self._issuer.issuer):
            wanted = name.replace("endpoint", "url")
            raise Unusable(f"no {name} on the issuer's own host: name it as {wanted}")
        return str(url)

    def _ask(self, url: str, form: Mapping[str, str] | None) -> bytes:
        parts = urlsplit(url)
        request = ProxyRequest(
            name=f"{self._issuer.name} (signing in)",
            target=url,
            method="GET" if form is None else "POST",
            path="/" if parts.path.endswith("/") else "",
            query=parts.query,
            headers={"accept": "application/json", "user-agent": "ai-gateway"}
            | ({} if form is None else {"content-type": _FORM}),
            body=b"" if form is None else urlencode(form).encode(),
            max_connections=_AT_ONCE,
        )
        if not self._asking.acquire(blocking=False):
            raise self._away()
        try:
            reply = self._upstreams.relay(request, self._clock.monotonic() + _PATIENCE)
        except GatewayError as error:
            log.warning("%s cannot be asked: %s", self._issuer.name, error.message)
            raise self._away() from None
        finally:
            self._asking.release()
        if reply.status != HTTPStatus.OK:
            raise Unusable(f"an answer with the status {reply.status}")
        return reply.body

    def _away(self) -> IssuerUnavailable:
        message = f"People cannot sign in at {self._issuer.name} now; try again."
        return IssuerUnavailable(message, retry_after=int(RETRY))

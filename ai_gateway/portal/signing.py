"""Signing in: OpenID Connect's authorization code flow (Core 1.0, 3.1) with PKCE (RFC 7636).

What begins in a browser must end in it: the state, the nonce and the verifier of a sign-in are
kept here under a number that its cookie holds, for a few minutes, and are good once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from random import Random
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from ai_gateway import strictjson
from ai_gateway.access import tokens
from ai_gateway.access.issuer import Issuer
from ai_gateway.access.tokens import Verifier
from ai_gateway.contract import Caller
from ai_gateway.errors import IssuerUnavailable
from ai_gateway.metrics import Metrics
from ai_gateway.portal import declared
from ai_gateway.portal.cookies import Cookie, secret
from ai_gateway.portal.declared import SignIn
from ai_gateway.portal.provider import Provider, Refused
from ai_gateway.portal.sessions import secure
from ai_gateway.portal.states import Store

log = logging.getLogger(__name__)

LIFE: Final = 600.0  # seconds that a sign-in may take
_FIELDS: Final = 20
_LONGEST: Final = 4096  # characters of a code


class Failed(Exception):
    """Nobody is signed in; ``problem`` is what the page is told, ``reason`` what the log is."""

    def __init__(self, problem: declared.Problem, reason: str) -> None:
        super().__init__(reason)
        self.problem: declared.Problem = problem
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Begun:
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


class Signing:
    """How people sign in by one bundle. Any thread may call it."""

    def __init__(
        self,
        signin: SignIn,
        issuer: Issuer,
        *,
        provider: Provider,
        verifier: Verifier,
        store: Store,
        random: Random,
        metrics: Metrics,
    ) -> None:
        self._signin = signin
        self._issuer = issuer
        self._provider = provider
        self._verifier = verifier
        self._store = store
        self._random = random
        self._metrics = metrics
        self._cookie = Cookie("gateway-sign-in", secure(signin))

    def begin(self) -> tuple[str, dict[str, str]]:
        """Where to send the browser, and the header that tells it later; raises StoreAway.

        Raises Failed where the issuer cannot be had.
        """
        try:
            url = urlsplit(self._provider.endpoints().authorization)
        except IssuerUnavailable as error:
            raise Failed("unavailable", error.message) from None
        identity = secret(self._random)
        begun = _Begun(*(secret(self._random) for _ in range(3)))
        self._store.put("sign-in", identity, strictjson.dumps(asdict(begun)), LIFE)
        asked = {
            "response_type": "code",
            "client_id": self._signin.client_id,
            "redirect_uri": self._signin.redirect_url,
            "scope": " ".join(self._signin.scopes),
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": _challenge(begun.verifier),
            "code_challenge_method": "S256",
        }
        query = "&".join(filter(None, (url.query, urlencode(asked))))
        return url._replace(query=query).geturl(), self._cookie.keep(identity, LIFE)

    def finish(self, query: str, headers: Mapping[str, str]) -> Caller:
        """Who came back from the issuer with ``query``; raises Failed, or StoreAway."""
        begun = self._begun(headers)
        given = _fields(query)
        if not hmac.compare_digest(_bytes(given.get("state", "")), _bytes(begun.state)):
            raise Failed("expired", "another state")
        if given.get("iss", self._issuer.issuer) != self._issuer.issuer:  # RFC 9207, 2.4
            raise Failed("failed", "the answer of another issuer")
        if "error" in given:
            raise Failed("denied", "the issuer said no")
        code = given.get("code", "")
        if not 0 < len(code) <= _LONGEST:
            raise Failed("failed", "no code")
        try:
            return self._verified(self._provider.exchange(code, begun.verifier), begun.nonce)
        except IssuerUnavailable as error:
            raise Failed("unavailable", error.message) from None
        except Refused as error:
            raise Failed("failed", f"the code was not taken: {error}") from None
        except tokens.Refused as error:
            self._count(error.reason)
            raise Failed("failed", f"the ID token is not good: {error}") from None

    def _begun(self, headers: Mapping[str, str]) -> _Begun:
        identity = self._cookie.read(headers)
        stored = identity and self._store.take("sign-in", identity)
        if not stored:
            raise Failed("expired", "a sign-in that nobody began here, or that ended")
        return _Begun(**strictjson.loads(stored))

    def _verified(self, token: str, nonce: str) -> Caller:
        """Who an ID token is of (OpenID Connect Core 1.0, 3.1.3.7); raises tokens.Refused."""
        header, claims = tokens.read(token)
        if claims.get("iss") != self._issuer.issuer:
            raise tokens.Refused("foreign")
        verified = self._verifier.verified(token, header, claims)
        sent = claims.get("nonce")
        if not isinstance(sent, str) or not hmac.compare_digest(_bytes(sent), _bytes(nonce)):
            raise tokens.Refused("nonce")
        self._refuse_others(claims)
        self._count("verified")
        return replace(verified.caller, scheme="session")

    def _count(self, outcome: str) -> None:
        self._metrics.tokens.labels(self._issuer.name, outcome).inc()

    def _refuse_others(self, claims: Mapping[str, Any]) -> None:
        """It was made for this client alone, or says that this client asked for it."""
        audience, party = claims["aud"], claims.get("azp")
        alone = isinstance(audience, str) or len(audience) == 1
        if party != self._signin.client_id and not (alone and party is None):
            raise tokens.Refused("audience")


def _challenge(verifier: str) -> str:
    """Of the method S256 (RFC 7636, 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _fields(query: str) -> dict[str, str]:
    """The parameters, each of which stands once (RFC 6749, 3.1); raises Failed."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        raise Failed("failed", "too many parameters") from None
    if len(found := dict(pairs)) != len(pairs):
        raise Failed("failed", "a parameter that stands twice")
    return found


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")

"""Bearer tokens of declared issuers: JSON Web Tokens (RFC 7519, 8725, 9068), verified offline.

A token says who issued it and by which key; both are looked up among what the operator declared,
before anything else is believed. Addresses and keys that a token brings along (``jku``, ``x5u``,
``jwk``) are not looked at. Whatever is wrong with a token, its sender gets one and the same error.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, Literal

from cachetools import TLRUCache

from ai_gateway import strictjson
from ai_gateway.access.issuer import TENANT, Claims, Issuer
from ai_gateway.access.jwks import KeyRing, Keys
from ai_gateway.access.keyset import KeySet
from ai_gateway.clock import Clock
from ai_gateway.contract import Caller
from ai_gateway.errors import GatewayError, InvalidToken
from ai_gateway.metrics import Metrics

MAX_TOKEN = 8192  # characters

_VERIFIED = 10_000  # tokens that are remembered, about 1 kB each
_TTL = 300.0  # seconds that one is remembered, at most
_DEPTH = 16  # levels of a token's JSON
_TEXT = 200  # characters of a text that a claim holds
_SUBJECT = 255  # the same of `sub` (OpenID Connect Core, 2)
_EVERYTHING = "*"  # to issued keys this is all names, which no token may say it has
#: Between the three parts of a token (RFC 7515, 7.1).
_DOTS: Final = 2
#: What a token may call itself; others are made for other ends, such as a logout (RFC 8725, 3.11).
_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})

#: Why a token was refused: for the operator's count, never for its sender.
Reason = Literal[
    "unreadable",
    "foreign",
    "header",
    "key",
    "signature",
    "claims",
    "audience",
    "time",
    "scopes",
    "nonce",
]


class Refused(Exception):
    """A token is not good."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Verified:
    """What a token was found to be, and the keys that say so."""

    caller: Caller
    keys: KeySet
    verifier: Verifier
    until: float


def shaped(text: str) -> bool:
    """Whether ``text`` looks like a token: three parts with dots between. No issued key does."""
    return text.count(".") == _DOTS


class Tokens:
    """The tokens that one bundle takes. Any thread may have one verified."""

    def __init__(
        self, issuers: Sequence[Issuer], ring: KeyRing, clock: Clock, metrics: Metrics
    ) -> None:
        self._verifiers = {
            issuer.issuer: Verifier(issuer, ring.of(issuer), clock) for issuer in issuers
        }
        self._clock = clock
        self._metrics = metrics
        self._lock = Lock()
        self._seen: TLRUCache[bytes, _Verified] = TLRUCache(_VERIFIED, _end, timer=clock.now)

    def caller(self, token: str, *, others: bool = False) -> Caller | None:
        """Who ``token`` says is calling; raises InvalidToken, or IssuerUnavailable.

        None for a token of an issuer that is not declared, where ``others`` have tokens too.
        """
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        with self._lock:
            seen = self._seen.get(digest)
        if seen is not None and seen.keys is seen.verifier.keys.current():
            return seen.caller
        name = "none"
        try:
            header, claims = read(token)
            verifier = self._verifier(claims)
            name = verifier.issuer.name
            verified = verifier.verified(token, header, claims)
        except Refused as refused:
            if others and name == "none":
                return None
            self._metrics.tokens.labels(name, refused.reason).inc()
            raise InvalidToken from None
        self._metrics.tokens.labels(name, "verified").inc()
        with self._lock:
            self._seen[digest] = verified
        return verified.caller

    def _verifier(self, claims: Mapping[str, Any]) -> Verifier:
        issuer = claims.get("iss")
        found = self._verifiers.get(issuer) if isinstance(issuer, str) else None
        if found is None:
            raise Refused("foreign")
        return found


def _end(_digest: bytes, verified: _Verified, now: float) -> float:
    return min(now + _TTL, verified.until)


def read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims of ``token``, of which nothing is known yet; raises Refused."""
    if len(token) > MAX_TOKEN or not shaped(token):
        raise Refused("unreadable")
    header, claims, _ = map(_bytes, token.split("."))
    return _object(header), _object(claims)


def _bytes(part: str) -> bytes:
    """One part, which has one spelling (RFC 7515, 2); raises Refused for another."""
    try:
        data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise Refused("unreadable") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != part:
        raise Refused("unreadable")
    return data


def _object(data: bytes) -> dict[str, Any]:
    """The JSON object in ``data``, which has one reading."""
    try:
        value = strictjson.loads(data, _DEPTH)
    except GatewayError:
        raise Refused("unreadable") from None
    if not isinstance(value, dict):
        raise Refused("unreadable")
    return value


class Verifier:
    """Verifies the tokens of one issuer."""

    def __init__(self, issuer: Issuer, keys: Keys, clock: Clock) -> None:
        self.issuer = issuer
        self.keys = keys
        self._clock = clock
        import jwt  # noqa: PLC0415 - where no issuer is declared nobody needs it

        self._signatures = jwt.PyJWS(issuer.algorithms)
        self._wrong = jwt.PyJWTError

    def verified(
        self, token: str, header: Mapping[str, Any], claims: Mapping[str, Any]
    ) -> _Verified:
        """``token``, of which ``header`` and ``claims`` are parts; raises Refused."""
        name, algorithm = self._signed(header)
        keys, key = self.keys.find(name, algorithm)
        if key is None:
            raise Refused("key")
        try:
            self._signatures.decode(token, key, [algorithm])
        except self._wrong:
            raise Refused("signature") from None
        self._meant(claims)
        until = self._timely(claims)
        return _Verified(self._caller(claims), keys, self, until)

    def _signed(self, header: Mapping[str, Any]) -> tuple[str | None, str]:
        """The name of the key, and the algorithm, which must be one that the operator pinned."""
        algorithm, name, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
        right = (
            algorithm in self.issuer.algorithms
            and isinstance(name, str | None)
            and isinstance(kind, str)
            and kind.lower() in _TYPES
            and not {"crit", "b64", "zip"} & header.keys()  # no extension is known here
        )
        if not right:
            raise Refused("header")
        return name, str(algorithm)

    def _meant(self, claims: Mapping[str, Any]) -> None:
        """It is for this gateway (RFC 7519, 4.1.3)."""
        named = claims.get("aud")
        named = [named] if isinstance(named, str) else named
        if not isinstance(named, list) or not set(self.issuer.audience) & set(_texts(named)):
            raise Refused("audience")

    def _timely(self, claims: Mapping[str, Any]) -> float:
        """It is good now (RFC 7519, 4.1.4 to 4.1.6); until when it is."""
        now, leeway = self._clock.now(), self.issuer.leeway
        until = _time(claims, "exp", None)
        begins = max(_time(claims, "nbf", 0.0), _time(claims, "iat", 0.0))
        if now >= until + leeway or now < begins - leeway:
            raise Refused("time")
        return until

    def _caller(self, claims: Mapping[str, Any]) -> Caller:
        paths = self.issuer.claims
        scopes = _names(claims, paths, "scopes") or frozenset()  # none by an oversight
        if not scopes.issuperset(self.issuer.required_scopes):
            raise Refused("scopes")
        subject = _text(claims.get("sub"), _SUBJECT)
        return Caller(
            id=f"jwt:{self.issuer.name}:{subject}",
            scheme="jwt",
            tenant=_tenant(claims, self.issuer),
            team=_optional(claims, paths, "team"),
            owner=_optional(claims, paths, "owner"),
            scopes=scopes,
            routes=_names(claims, paths, "routes"),
            models=_names(claims, paths, "models"),
        )


def _time(claims: Mapping[str, Any], name: str, default: float | None) -> float:
    """A NumericDate (RFC 7519, 2)."""
    value = claims.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise Refused("claims")
    return float(value)


def _claim(claims: Mapping[str, Any], paths: Claims, field: str) -> Any:
    """What is said of ``field``; None where nothing is."""
    path = getattr(paths, field)
    value: Any = claims if path else None
    for key in path or ():
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _text(value: Any, most: int = _TEXT) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > most:
        raise Refused("claims")
    if not value.isprintable():
        raise Refused("claims")
    return value


def _tenant(claims: Mapping[str, Any], issuer: Issuer) -> str:
    if not issuer.claims.tenant:
        return issuer.tenant
    named = _text(_claim(claims, issuer.claims, "tenant"))
    if not re.fullmatch(TENANT, named):  # of at most 200 characters, and cannot backtrack
        raise Refused("claims")
    return named


def _optional(claims: Mapping[str, Any], paths: Claims, field: str) -> str:
    value = _claim(claims, paths, field)
    return "" if value is None else _text(value)


def _names(claims: Mapping[str, Any], paths: Claims, field: str) -> frozenset[str] | None:
    """The names in a list, or between spaces (RFC 6749, 3.3); none where nothing is said.

    None, which is everything, only where the operator named no claim.
    """
    if not getattr(paths, field):
        return None
    value = _claim(claims, paths, field)
    if isinstance(value, str):
        value = value.split()
    names = _texts([] if value is None else value)
    if _EVERYTHING in names:
        raise Refused("claims")
    return frozenset(names)


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise Refused("claims")
    return [_text(item) for item in value]

"""Who calls: the credential that a request carries, checked against what its route accepts.

A key comes as ``X-API-Key``, ``api-key`` or ``Authorization``, looked for in that order. A
credential that is presented and wrong is refused, whatever else would do. ``platform`` is the user
name that Cloudera AI's proxy sets; it is believed only where ``Identity.platform`` says so, and
there a Bearer that is no key of ours is the platform's own and counts as absent.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from ai_gateway.contract import ANONYMOUS, Caller
from ai_gateway.errors import Forbidden, Unauthenticated
from ai_gateway.manifest.model import Route
from ai_gateway.settings import Settings

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True, slots=True)
class Identity:
    """What this process can tell of a caller."""

    admin_digest: bytes | None
    platform: bool = False

    @classmethod
    def of(cls, settings: Settings, *, loopback: bool) -> Identity:
        """The platform is trusted on CAI, on a loopback address, when the operator says so."""
        return cls(
            admin_digest=_digest(settings.admin_key.strip()) if settings.admin_key else None,
            platform=settings.on_cai and loopback and settings.trust_platform,
        )

    def caller(self, route: Route, method: str, headers: Mapping[str, str]) -> Caller:
        """Who calls ``route``; raises Unauthenticated or Forbidden."""
        if not route.auth:
            raise Forbidden(f"Route {route.name} declares no auth, so nobody may call it.")
        known = self._by_key(headers)
        if known and (known.admin or "api-key" in route.auth):
            return known
        user = headers.get("remote-user", "").strip()
        if self.platform and user and "platform" in route.auth:
            if "," in user:  # several of the header: the proxy's own is one of them, but which?
                raise Unauthenticated("The request carries more than one REMOTE-USER.")
            _refuse_forged_form(method, headers)
            return Caller(id=f"platform:{user[:200]}", scheme="platform")
        if "none" in route.auth:
            return ANONYMOUS
        raise Unauthenticated(_wanted(route))

    def _by_key(self, headers: Mapping[str, str]) -> Caller | None:
        key = headers.get("x-api-key") or headers.get("api-key")
        authorization = headers.get("authorization", "")
        if key is None and authorization:
            scheme, _, key = authorization.partition(" ")
            if scheme.lower() != "bearer":
                key = ""
        if key is None:
            return None
        digest = _digest(_text(key).strip())
        if self.admin_digest and hmac.compare_digest(digest, self.admin_digest):
            return Caller(id="admin", scheme="api-key", admin=True)
        if self.platform and not (headers.get("x-api-key") or headers.get("api-key")):
            return None
        raise Unauthenticated("The API key is not one that this gateway knows.")


def permits(route: Route, caller: Caller) -> bool:
    """Whether ``caller``, who was let in on another route, may call this one too."""
    accepted = caller.admin or caller.scheme in route.auth or "none" in route.auth
    return bool(route.auth) and accepted


def _text(value: str) -> str:
    """A header's value is a row of bytes, handed on as Latin-1 (PEP 3333); a key is UTF-8."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def _digest(key: str) -> bytes:
    # Of equal length whatever the key's, so that a comparison tells nothing of it.
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _refuse_forged_form(method: str, headers: Mapping[str, str]) -> None:
    """The proxy adds the user's name to any request of his browser's, another site's forms too."""
    if (
        method in _SAFE_METHODS
        or headers.get("content-type", "").split(";")[0].strip().lower() == "application/json"
        or headers.get("sec-fetch-site") == "same-origin"
        # No form can set a Bearer; Basic and Negotiate the browser adds to any site's by itself.
        or headers.get("authorization", "").lower().startswith("bearer ")
    ):
        return
    raise Forbidden("Send Content-Type: application/json; without it this could be a forged form.")


def _wanted(route: Route) -> str:
    ways = {
        "api-key": "an API key as X-API-Key, api-key or Authorization: Bearer",
        "platform": "a Cloudera AI user, signed in through its proxy",
    }
    accepted = " or ".join(ways[scheme] for scheme in route.auth if scheme in ways)
    return f"This route needs {accepted}."

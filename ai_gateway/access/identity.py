"""Who calls: the credential that a request carries, checked against what its route accepts.

A key comes as ``X-API-Key``, ``api-key`` or ``Authorization``, looked for in that order. A
credential that is presented and wrong is refused, whatever else would do. ``platform`` is the user
name that Cloudera AI's proxy sets; it is believed only where ``Identity.platform`` says so, and
there a Bearer that is no key of ours is the platform's own and counts as absent. What begins as an
issued key does is one of ours, if only one that ended. ``session`` is who signed in to the portal:
a cookie, which a browser sends by itself, counts where no credential does.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ai_gateway.access.allowed import may_call
from ai_gateway.access.asked import says_json
from ai_gateway.access.issued import IssuedKeys
from ai_gateway.access.keys import MARK, digest
from ai_gateway.access.tokens import Tokens, shaped
from ai_gateway.contract import ANONYMOUS, Caller
from ai_gateway.errors import Forbidden, Unauthenticated
from ai_gateway.manifest.model import Route
from ai_gateway.settings import Settings

if TYPE_CHECKING:
    from ai_gateway.portal.sessions import Sessions

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
#: Who knows the administrator's key.
_ADMIN: Final = Caller(id="admin", scheme="api-key", admin=True)


@dataclass(frozen=True, slots=True)
class Identity:
    """What this process can tell of a caller."""

    admin_digest: bytes | None
    platform: bool = False
    tokens: Tokens | None = None
    keys: IssuedKeys | None = None
    sessions: Sessions | None = None

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        loopback: bool,
        tokens: Tokens | None = None,
        keys: IssuedKeys | None = None,
        sessions: Sessions | None = None,
    ) -> Identity:
        """The platform is trusted on CAI, on a loopback address, when the operator says so."""
        return cls(
            admin_digest=digest(settings.admin_key.strip()) if settings.admin_key else None,
            platform=settings.on_cai and loopback and settings.trust_platform,
            tokens=tokens,
            keys=keys,
            sessions=sessions,
        )

    def caller(self, route: Route, method: str, headers: Mapping[str, str]) -> Caller:
        """Who calls ``route``; raises Unauthenticated or Forbidden."""
        known = self._by_key(headers)
        if known and (known.admin or known.scheme in route.auth):
            return known
        if not route.auth:
            raise Forbidden(f"Route {route.name} declares no auth, so only an administrator may.")
        if known is None and self.sessions and "session" in route.auth:
            person = self.sessions.caller(method, headers)
            if person:
                return person
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
        text = _text(key).strip()
        sent = digest(text)
        if self.admin_digest and hmac.compare_digest(sent, self.admin_digest):
            return _ADMIN
        if self.keys and (found := self.keys.find(sent)):
            return found
        bearer = not (headers.get("x-api-key") or headers.get("api-key"))
        if bearer and self.tokens and shaped(text):
            return self.tokens.caller(text, others=self.platform)
        if self.platform and bearer and not text.startswith(MARK):
            return None
        raise Unauthenticated("The API key is not one that this gateway knows.")


def permits(route: Route, caller: Caller) -> bool:
    """Whether ``caller``, who was let in on another route, may call this one too."""
    if caller.admin:
        return True
    accepted = caller.scheme in route.auth or "none" in route.auth
    return accepted and may_call(route, caller)


def _text(value: str) -> str:
    """A header's value is a row of bytes, handed on as Latin-1 (PEP 3333); a key is UTF-8."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def _refuse_forged_form(method: str, headers: Mapping[str, str]) -> None:
    """The proxy adds the user's name to any request of his browser's, another site's forms too."""
    if (
        method in _SAFE_METHODS
        or says_json(headers)
        or headers.get("sec-fetch-site") == "same-origin"
        # No form can set a Bearer; Basic and Negotiate the browser adds to any site's by itself.
        or headers.get("authorization", "").lower().startswith("bearer ")
    ):
        return
    raise Forbidden("Send Content-Type: application/json; without it this could be a forged form.")


def _wanted(route: Route) -> str:
    ways = {
        "api-key": "an API key as X-API-Key, api-key or Authorization: Bearer",
        "jwt": "a token of its issuer as Authorization: Bearer",
        "platform": "a Cloudera AI user, signed in through its proxy",
        "session": "somebody who is signed in at /portal",
    }
    accepted = " or ".join(ways[scheme] for scheme in route.auth if scheme in ways)
    return f"This route needs {accepted}."

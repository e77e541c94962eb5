"""Sessions: who is signed in, kept here, while his browser holds a number that says nothing.

A session ends when it was not used for ``idle``, when ``session`` is over, at sign-out, and when
the bundle names another issuer or client. Whatever changes something must carry the session's
CSRF token and come from the page itself; the browser says from where (Fetch Metadata, Origin).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any, Final
from urllib.parse import urlsplit

from ai_gateway import strictjson
from ai_gateway.clock import Clock
from ai_gateway.contract import Caller
from ai_gateway.errors import Forbidden
from ai_gateway.portal.cookies import Cookie, secret
from ai_gateway.portal.declared import SignIn
from ai_gateway.portal.states import Store

#: The header that carries the CSRF token.
TOKEN: Final = "x-csrf-token"  # noqa: S105 - the header's name
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_NAMES: Final = ("scopes", "routes", "models")


@dataclass(frozen=True, slots=True)
class Session:
    """One person, signed in. Times are seconds since the epoch."""

    caller: Caller
    csrf: str = field(repr=False)
    until: float
    #: The issuer and client by which he signed in.
    through: str

    def stored(self) -> bytes:
        """As it is kept."""
        caller = asdict(self.caller)
        for name in _NAMES:
            caller[name] = None if caller[name] is None else sorted(caller[name])
        return strictjson.dumps(asdict(self) | {"caller": caller})

    @classmethod
    def of(cls, stored: bytes) -> Session:
        """From what was kept."""
        value: dict[str, Any] = strictjson.loads(stored)
        caller: dict[str, Any] = value.pop("caller")
        for name in _NAMES:
            caller[name] = None if caller[name] is None else frozenset(caller[name])
        return cls(caller=Caller(**caller), **value)


def secure(declared: SignIn) -> bool:
    """Whether people's browsers reach the gateway over https."""
    return declared.redirect_url.startswith("https://")


class Sessions:
    """The sessions of one bundle; what is kept outlives it. Any thread may call it."""

    def __init__(
        self, declared: SignIn, issuer: str, store: Store, clock: Clock, random: Random
    ) -> None:
        self._declared = declared
        self._store = store
        self._clock = clock
        self._random = random
        self._through = f"{declared.issuer} {issuer} {declared.client_id}"
        parts = urlsplit(declared.redirect_url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self.cookie = Cookie("gateway-session", secure(declared))

    def begin(self, caller: Caller) -> dict[str, str]:
        """The header that gives the browser of ``caller`` a new session, never one that it had."""
        identity, life = secret(self._random), self._declared.session
        session = Session(
            caller=caller,
            csrf=secret(self._random),
            until=self._clock.now() + life,
            through=self._through,
        )
        ttl = min(life, self._declared.idle)
        self._store.put("session", identity, session.stored(), ttl)
        return self.cookie.keep(identity, life)

    def find(self, headers: Mapping[str, str]) -> Session | None:
        """The session that a request is of, which is used by this; raises StoreAway."""
        identity = self.cookie.read(headers)
        stored = identity and self._store.get("session", identity, self._declared.idle)
        session = Session.of(stored) if stored else None
        if session is None or identity is None or session.through != self._through:
            return None
        if self._clock.now() >= session.until:
            self._store.take("session", identity)
            return None
        return session

    def end(self, headers: Mapping[str, str]) -> dict[str, str]:
        """End the session that a request is of; the header that has the browser forget it."""
        identity = self.cookie.read(headers)
        if identity is not None:
            self._store.take("session", identity)
        return self.cookie.drop()

    def caller(self, method: str, headers: Mapping[str, str]) -> Caller | None:
        """Who is signed in; raises Forbidden for a change that is not the page's own."""
        session = self.find(headers)
        if session is None:
            return None
        if method not in _SAFE:
            self._refuse_foreign(headers, session)
        return session.caller

    def _refuse_foreign(self, headers: Mapping[str, str], session: Session) -> None:
        """Raise Forbidden for what another site may have sent through the person's browser."""
        sent = headers.get(TOKEN, "").encode("utf-8", "surrogateescape")
        if (
            headers.get("sec-fetch-site", "same-origin") != "same-origin"
            or headers.get("origin", self._origin) != self._origin
            or not hmac.compare_digest(sent, session.csrf.encode())
        ):
            raise Forbidden("This did not come from the portal's own page; load it again.")

"""The portal of one process: what is kept outlives bundles, how people sign in is a bundle's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from threading import Lock
from typing import Final

from ai_gateway.access.issuer import Issuer
from ai_gateway.access.jwks import KeyRing
from ai_gateway.access.tokens import Verifier
from ai_gateway.clock import Clock
from ai_gateway.contract import Context
from ai_gateway.errors import Forbidden
from ai_gateway.manifest.model import Manifest
from ai_gateway.metrics import Metrics
from ai_gateway.pages import Page
from ai_gateway.portal.declared import SignIn
from ai_gateway.portal.provider import Provider
from ai_gateway.portal.sessions import Sessions
from ai_gateway.portal.signing import Signing
from ai_gateway.portal.states import Store, store

PAGE: Final = Page(
    Path(__file__).parent / "static",
    frozenset({"portal.css", "portal.js", "page.js", "snippets.js", "use.js"}),
)


@dataclass(frozen=True, slots=True)
class Portal:
    """What the portal's functions work with. Both are None where the platform says who comes."""

    sessions: Sessions | None
    signing: Signing | None
    #: Held while somebody's keys are counted and one is added.
    issuing: Lock


def portal(context: Context) -> Portal:
    """The portal of ``context``; `check` sees to it that there is one."""
    if context.portal is None:
        raise Forbidden("This bundle declares no portal.")
    return context.portal


def signing(context: Context) -> tuple[Signing, Sessions]:
    """How people sign in; `check` sees to it that they can."""
    found = portal(context)
    if found.signing is None or found.sessions is None:
        raise Forbidden("This bundle declares no sign-in of its own.")
    return found.signing, found.sessions


@dataclass(slots=True)
class Portals:
    """What outlives a bundle: who is signed in, and connections to the issuer."""

    state: str
    clock: Clock
    random: Random
    metrics: Metrics
    environment: Mapping[str, str] = field(repr=False)
    _store: Store = field(init=False)
    _issuing: Lock = field(default_factory=Lock)
    _providers: dict[tuple[SignIn, Issuer], Provider] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._store = store(self.state, self.clock)

    def of(self, manifest: Manifest, ring: KeyRing) -> Portal:
        """The portal as ``manifest`` declares it."""
        declared = manifest.portal.oidc if manifest.portal else None
        if declared is None:
            return Portal(None, None, self._issuing)
        issuer = next(each for each in manifest.jwt if each.name == declared.issuer)
        # An ID token is for the client (OpenID Connect Core 1.0, 2); its issuer signs it as any.
        changes = {"audience": (declared.client_id,), "claims": declared.claims or issuer.claims}
        issuer = issuer.model_copy(update=changes)
        sessions = Sessions(declared, issuer.issuer, self._store, self.clock, self.random)
        signing = Signing(
            declared,
            issuer,
            provider=self._provider(declared, issuer),
            verifier=Verifier(issuer, ring.of(issuer), self.clock),
            store=self._store,
            random=self.random,
            metrics=self.metrics,
        )
        return Portal(sessions, signing, self._issuing)

    def close(self) -> None:
        """Close every connection."""
        for provider in self._providers.values():
            provider.close()
        self._store.close()

    def _provider(self, declared: SignIn, issuer: Issuer) -> Provider:
        key = (declared, issuer)
        if key not in self._providers:
            self._providers[key] = Provider(declared, issuer, self.clock, self.environment)
        return self._providers[key]

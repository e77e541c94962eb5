"""The parts of one process, put together: what lives on, and what a reload swaps."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from random import Random
from typing import TYPE_CHECKING

from ai_gateway.access.identity import Identity
from ai_gateway.access.issued import IssuedKeys
from ai_gateway.access.jwks import KeyRing
from ai_gateway.access.tokens import Tokens
from ai_gateway.answer.gateway import Gateway
from ai_gateway.answer.places import places
from ai_gateway.answer.tries import Tries
from ai_gateway.answer.turns import Turns
from ai_gateway.answer.weights import Weights
from ai_gateway.cache.caches import Caches
from ai_gateway.chance import SystemChance
from ai_gateway.clock import Clock, SystemClock
from ai_gateway.contract import Context, Progress, silent
from ai_gateway.control.audit import Audit
from ai_gateway.control.control import Control
from ai_gateway.cost.prices import Library
from ai_gateway.limits.engine import Limits
from ai_gateway.manifest.load import Bundle, BundleState
from ai_gateway.manifest.model import Route
from ai_gateway.metrics import Metrics
from ai_gateway.records import Records
from ai_gateway.records.keyring import Keyring
from ai_gateway.resilience.aside import Aside
from ai_gateway.resilience.gauges import Gauges
from ai_gateway.settings import Settings
from ai_gateway.telemetry import gauges
from ai_gateway.telemetry.levels import Levels
from ai_gateway.telemetry.tracing import Tracing, exporting
from ai_gateway.upstream import Upstreams
from ai_gateway.webhooks.receivers import receivers

if TYPE_CHECKING:
    from ai_gateway.portal.portal import Portal, Portals
    from ai_gateway.webhooks.hooks import Webhooks

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One bundle in force: a request sees one of these from its arrival to its end."""

    bundle: Bundle
    context: Context
    gateway: Gateway
    identity: Identity
    #: Bytes that a body may have, by path; the largest of all where the path has parameters.
    bodies: Mapping[str, int]
    #: Where spans go, if anywhere.
    tracing: Tracing | None = None

    def max_body(self, path: str) -> int:
        """Bytes that a body on ``path`` may have, whoever sends it."""
        return self.bodies.get(path) or self.bodies[""]

    def shape(self, path: str) -> str:
        """The shape of errors that callers of ``path`` read: of the route there, or above it."""
        shapes = {_fixed(route.path): route.errors for route in self.bundle.manifest.routes}
        above = (fixed for fixed in shapes if f"{path}/".startswith(f"{fixed}/"))
        return shapes.get(max(above, key=len, default=""), "openai")


@dataclass(slots=True)
class Service:
    """Limits, connections, the record writer, the scores: they outlive every reload."""

    settings: Settings
    loopback: bool = True
    clock: Clock = field(default_factory=SystemClock)
    random: Random = field(default_factory=SystemChance)
    progress: Progress = silent
    records: Records = field(init=False)
    weights: Weights = field(init=False)
    keys: IssuedKeys = field(init=False)
    upstreams: Upstreams = field(init=False)
    tries: Tries = field(init=False)
    prices: Library = field(init=False)
    aside: Aside = field(init=False)
    caches: Caches = field(init=False)
    limits: Limits = field(init=False)
    metrics: Metrics = field(init=False)
    audit: Audit = field(init=False)
    control: Control = field(init=False)
    levels: Levels = field(init=False)
    tracing: Tracing | None = field(init=False)
    #: The keys of the issuers whose tokens are taken.
    ring: KeyRing = field(init=False)
    #: What people who are signed in have here; None until a bundle declares a portal.
    portals: Portals | None = None
    #: Who tells receivers; None until a bundle names one.
    webhooks: Webhooks | None = None
    state: BundleState = field(default_factory=BundleState)
    #: What is in force now, for who has no request to tell him.
    current: Snapshot = field(init=False)

    def __post_init__(self) -> None:
        settings, keyring = self.settings, Keyring.of(self.settings.encryption)
        self.records = Records.open(settings.data, settings.wal, self.clock, keyring=keyring)
        self.weights = Weights(self.records)
        self.keys = IssuedKeys(self.records, self.clock)
        self.upstreams = Upstreams(self.clock, self.settings.variables)
        self.prices = Library(self.clock)
        self.aside = Aside()
        self.caches = Caches.of(self.settings.state, self.clock)
        self.metrics = Metrics()
        self.limits = Limits.of(self.settings.state, self.clock, self.records, self.metrics)
        self.audit = Audit(self.records, self.clock)
        self.control = Control(self.settings, self.clock, self.audit)
        self.metrics.registry.register(gauges.Gauges(self.weights, self.records))
        self.levels = Levels.of(self.settings)
        self.tracing = exporting(self.settings.variables)
        self.ring = KeyRing(self.clock, self.settings.variables, self.metrics)
        turns = Turns.of(self.clock)
        self.tries = Tries(turns, self.clock, self.random, self.metrics)
        self.metrics.registry.register(Gauges(turns.circuits, turns.gates, turns.balancer))

    def snapshot(self, bundle: Bundle) -> Snapshot:
        """What serves requests by ``bundle``."""
        if not bundle.policies.names:
            log.warning("the bundle has no guardrail policy: every text passes")
        for place in chain(*places(bundle.manifest.models).values()):
            if place.model.price is None:  # loading them takes longer than a request may
                self.prices.look_up(place.model.url, place.model.model_id)
        self.metrics.objectives.declare(bundle.manifest.routes)
        webhooks = self._webhooks(bundle)
        gateway = Gateway(
            manifest=bundle.manifest,
            manifest_hash=bundle.digest,
            policies=bundle.policies,
            records=self.records,
            weights=self.weights,
            upstreams=self.upstreams,
            tries=self.tries,
            prices=self.prices,
            caches=self.caches,
            clock=self.clock,
            random=self.random,
            limits=self.limits,
            aside=self.aside,
            metrics=self.metrics,
            webhooks=webhooks,
        )
        portal = self._portal(bundle)
        context = Context(
            settings=self.settings,
            manifest=bundle.manifest,
            policies=bundle.policies,
            prompts=bundle.prompts,
            records=self.records,
            limits=self.limits,
            weights=self.weights,
            metrics=self.metrics,
            state=self.state,
            circuits=self.tries.turns.circuits,
            keys=self.keys,
            audit=self.audit,
            control=self.control,
            answer=gateway.answer,
            consult=gateway.asking,
            caches=self.caches,
            portal=portal,
            webhooks=webhooks,
            manifest_hash=bundle.digest,
            clock=self.clock,
            random=self.random,
            progress=self.progress,
        )
        identity = Identity.of(
            self.settings,
            loopback=self.loopback,
            tokens=self._tokens(bundle),
            keys=self.keys,
            sessions=portal.sessions if portal else None,
        )
        bodies = _bodies(bundle.manifest.routes)
        return Snapshot(bundle, context, gateway, identity, bodies, self.tracing)

    def _tokens(self, bundle: Bundle) -> Tokens | None:
        issuers = bundle.manifest.jwt
        return Tokens(issuers, self.ring, self.clock, self.metrics) if issuers else None

    def _portal(self, bundle: Bundle) -> Portal | None:
        if bundle.manifest.portal is None:
            return None
        if self.portals is None:
            from ai_gateway.portal.portal import Portals  # noqa: PLC0415 - for bundles that have one

            settings = self.settings
            self.portals = Portals(
                settings.state, self.clock, self.random, self.metrics, settings.variables
            )
        return self.portals.of(bundle.manifest, self.ring)

    def _webhooks(self, bundle: Bundle) -> Webhooks | None:
        found = receivers(bundle.manifest, self.settings.webhook_secrets)
        if self.webhooks is None and found:
            from ai_gateway.webhooks.hooks import Webhooks  # noqa: PLC0415 - for those that have one

            settings = self.settings
            self.webhooks = Webhooks(
                settings.wal,
                environment=settings.variables,
                records=self.records,
                clock=self.clock,
                random=self.random,
                metrics=self.metrics,
            )
            self.audit.listener = self.webhooks.audited
            self.limits.listen(self.webhooks.alerted)
        if self.webhooks is not None:
            self.webhooks.adopt(found)
        return self.webhooks if found else None

    def forget(self, bundle: Bundle) -> None:
        """Let go of what is known of models that ``bundle`` has no more."""
        self.tries.turns.keep(chain(*places(bundle.manifest.models).values()))
        self.ring.keep(bundle.manifest.jwt)

    def start(self) -> None:
        """Follow what others change: the models' scores, the level of log lines, issuers' keys."""
        self.weights.start()
        self.levels.start()
        self.ring.start()

    def close(self) -> None:
        """Flush what is recorded, and let go of everything."""
        self.levels.stop()
        self.weights.stop()
        self.keys.stop()
        self.ring.close()
        if self.portals is not None:
            self.portals.close()
        self.aside.close()
        if self.webhooks is not None:
            self.webhooks.close()
        self.upstreams.close()
        self.limits.close()
        self.caches.close()
        self.records.close()
        if self.tracing is not None:
            self.tracing.close()


def _fixed(path: str) -> str:
    """The part of a route's path that has no parameters."""
    return path.partition("{")[0].rstrip("/")


def _bodies(routes: Iterable[Route]) -> dict[str, int]:
    """Bytes by path, several routes of which may have different methods; "" is any other path."""
    found: dict[str, int] = {}
    for route in routes:
        for path in (route.path, ""):
            found[path] = max(found.get(path, 0), route.max_body)
    return found

"""Limits and budgets on a request's way: what is taken where, and what is given back.

A function that asks no model takes requests on its arrival. One that asks takes everything at once,
before anything is done for the call, and what the call came to takes its place when its record is
written; a request that never came so far is counted as it leaves.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ai_gateway.access.allowed import may_ask
from ai_gateway.answer.call import AUTO, Call
from ai_gateway.answer.places import Places
from ai_gateway.cost.prices import Library
from ai_gateway.cost.tokens import tokens
from ai_gateway.errors import GatewayError, RateLimited, TooLarge
from ai_gateway.limits import plan
from ai_gateway.limits.engine import Limits, Refused, Reserved
from ai_gateway.limits.meter import Meter, Shown
from ai_gateway.limits.plan import ASKING, BILLION, Entry, Plan, Rule, Who
from ai_gateway.limits.worst import Prices, tokens_in, tokens_out
from ai_gateway.manifest.model import Manifest, Route
from ai_gateway.translate.anthropic.messages_request import MAX_TOKENS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ai_gateway.answer.record import Decision
    from ai_gateway.contract import Caller, Event
    from ai_gateway.guardrails.engine import Guardrails

#: Plans remembered; one is of a caller on a route, and takes about 1 kB.
_PLANS: Final = 10_000
#: The scheme of jobs, whose calls no limit holds for, and the surface of a cache's own call.
_JOB: Final = "job"
_CACHE: Final = "cache"


def check_size(body: bytes, route: Route) -> None:
    """Raise TooLarge for a body beyond what ``route`` reads."""
    if len(body) > route.max_body:
        raise TooLarge(f"The body has {len(body)} bytes; at most {route.max_body} are read.")


@dataclass(slots=True)
class Hold:
    """What a call has reserved; it is settled once, by the decision that tells what it came to."""

    limits: Limits
    reserved: Reserved | None

    def settle(self, decision: Decision) -> None:
        """Put what was used in the place of what was reserved."""
        reserved, self.reserved = self.reserved, None
        if reserved is not None:
            self.limits.settle(reserved, used(reserved, decision))


class Gate:
    """The limits of one bundle."""

    def __init__(
        self,
        manifest: Manifest,
        there: Mapping[str, Places],
        policies: Guardrails,
        library: Library,
        limits: Limits,
    ) -> None:
        self._manifest = manifest
        self._limits = limits
        self._rules = plan.rules(manifest)
        self._prices = Prices.of(there, library) if manifest.budgets else Prices({}, {})
        self._rerouted = tuple(sorted({model for *_, model, asks in policies.models() if not asks}))
        self._routes = {route.name: route for route in manifest.routes}
        self._plan = lru_cache(maxsize=_PLANS)(self._planned)
        #: By all of a call that its plan follows from.
        self._plans: dict[tuple[object, ...], Plan] = {}
        self._nameable = {"auto", *manifest.models, *self._routes}
        limits.adopt(self._rules, [route.name for route in manifest.nameables()])

    def arrive(self, event: Event) -> None:
        """``event`` has a caller, and will ask no model or may: raises what refuses it here."""
        event.meter.arrived = True
        if event.route.function not in ASKING:
            self._count(event)

    def leave(self, event: Event) -> None:
        """Count what asked no model although it was to: its body was bad, say."""
        if event.meter.arrived and not event.meter.counted:
            self._count(event)

    def instead(self, event: Event, error: GatewayError) -> GatewayError:
        """What to tell of a failed request: ``error``, or that it was one too many."""
        try:
            self.leave(event)
        except GatewayError as refusal:
            refusal.recorded = error.recorded  # one row is enough
            return refusal
        return error

    def headers(self, event: Event, now: float) -> Mapping[str, str]:
        """How the caller's limits stand, as his SDK reads it."""
        return event.meter.headers(event.route.errors, now) if event.meter.shown else {}

    def reserve(self, call: Call, decision: Decision) -> None:
        """Take the worst that ``call`` may come to; raises what refuses it."""
        event = call.event
        if not self._rules or event.caller.scheme == _JOB:
            return
        found = self._known(call, None if call.surface != _CACHE else ("cost",))
        if event.meter.counted:
            found = found.again()
        decision.hold = self._hold(event.meter, found, self._worst(call, found))
        event.meter.counted = True

    def beside(self, call: Call, model: str, decision: Decision) -> None:
        """Take what a shadow may cost: its caller's budgets pay, his rates do not."""
        caller = call.event.caller
        if self._rules:
            found = self._plan(_who(caller), (call.event.route.name,), (model,), ("cost",))
            decision.hold = self._hold(Meter(), found, self._worst(call, found))

    def _count(self, event: Event) -> None:
        """One request of a route, whatever it asks for."""
        event.meter.counted = True
        if self._rules:
            routes = (event.route.name,)
            found = self._plan(_who(event.caller), routes, (), ("requests",))
            self._hold(event.meter, found, [1] * len(found.entries))

    def _hold(self, meter: Meter, found: Plan, amounts: Sequence[int]) -> Hold | None:
        """What was taken, if anything of it is to be settled."""
        if not found.entries:
            return None
        refusal: RateLimited | None = None
        try:
            reserved = self._limits.take(found.entries, amounts, self._manifest.limits_on_error)
        except Refused as refused:
            reserved, refusal = refused.reserved, refused.error
        for entry, state in zip(reserved.entries, reserved.states, strict=True):
            unit, cap = entry.rule.unit, entry.rule.cap
            if unit != "cost" and state.wait:
                meter.show(unit, Shown(cap, cap - state.taken, state.wait))
        if refusal is not None:
            meter.counted = True
            raise refusal
        return Hold(self._limits, reserved) if found.settles else None

    def _known(self, call: Call, units: tuple[str, ...] | None) -> Plan:
        """What ``call`` meets, worked out once for all that are alike."""
        route, caller = call.event.route, call.event.caller
        named = call.model or "auto"
        if named not in self._nameable:
            named = ""  # a text of the caller's, of any length
        key = (
            *(caller.tenant, caller.team, caller.id, caller.models),
            *(route.name, route.routing.models, named, call.routed, units),
        )
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _PLANS:
                self._plans.clear()
            models, routes = self._able(call), self._named(call)
            plan = self._plans[key] = self._plan(_who(caller), routes, models, units)
        return plan

    def _planned(
        self,
        who: Who,
        names: tuple[str, ...],
        models: tuple[str, ...],
        units: tuple[str, ...] | None,
    ) -> Plan:
        return Plan.of(
            entry
            for rule in self._rules
            if units is None or rule.unit in units
            for entry in plan.entries(rule, who, self._met(rule, names), models)
        )

    def _met(self, rule: Rule, names: Iterable[str]) -> list[str]:
        """Those of the routes whose requests count; one that is not the bundle's is a cache's."""
        found = ((name, self._routes.get(name)) for name in names)
        return [name for name, route in found if route is None or plan.meets(rule, route)]

    def _named(self, call: Call) -> tuple[str, ...]:
        """The routes whose limits hold: the called one, and the one that its model names."""
        names = (call.event.route.name, call.model if call.routed else None)
        return tuple(dict.fromkeys(name for name in names if name))

    def _able(self, call: Call) -> tuple[str, ...]:
        """Every model that may answer: chosen, instead of the chosen one, or by a policy."""
        route = call.event.route
        candidates = self._manifest.candidates(route)
        if call.model not in AUTO and not call.routed:
            candidates = (call.model,) if call.model in candidates else ()
        instead = route.fallback.models if route.fallback else ()
        able = dict.fromkeys((*candidates, *instead, *self._rerouted))
        return tuple(name for name in able if may_ask(name, call.event.caller))

    def _worst(self, call: Call, found: Plan) -> list[int]:
        """The amount of each entry."""
        if found.of_requests:
            return [1] * len(found.entries)
        given = tokens_in(call.format, call.body, call.texts())
        return [
            1 if entry.rule.unit == "requests" else self._most(call, entry, given)
            for entry in found.entries
        ]

    def _most(self, call: Call, entry: Entry, given: int) -> int:
        """Tokens, or money, of the dearest of the models that the entry is about."""
        most = 0
        for name in entry.among:
            model, assumed = self._manifest.models[name], entry.rule.assume
            if model.dialect == "anthropic":  # sent where nobody says another
                assumed = max(assumed or 0, MAX_TOKENS)
            answer = tokens_out(call.format, call.body, model.max_output_tokens, assumed)
            came = given + answer
            if entry.rule.budget:
                came = self._prices.most(name, given, answer)
            most = max(most, came)
        return most


def _who(caller: Caller) -> Who:
    return Who(caller.tenant, caller.team, caller.id)


def used(reserved: Reserved, decision: Decision) -> list[int]:
    """What a call came to, by entry. An answer whose use nobody told keeps what it reserved."""
    asked = frozenset(attempt.model for attempt in decision.attempts if attempt.endpoint)
    served = decision.served if decision.hit is None and asked else None
    return [
        _used(entry, amount, asked, served, decision)
        for entry, amount in zip(reserved.entries, reserved.amounts, strict=True)
    ]


def _used(
    entry: Entry, amount: int, asked: frozenset[str], served: str | None, decision: Decision
) -> int:
    models, unit = entry.models, entry.rule.unit
    if unit == "requests":
        return amount if models is None or models & asked else 0
    if served is None or (models is not None and served not in models):
        return 0
    if unit == "tokens":
        counted = tokens(decision.usage)
        return amount if counted is None else counted.input + counted.output
    charge = decision.charge
    return amount if charge is None else math.ceil(charge.amount * BILLION)

"""``context.answer``: guard, look in the cache, route, forward, guard, record; always so.

Each stage is a file of its own; here is only their order. No surface can reach a model without its
guardrails and its record.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from ai_gateway.answer.asking import Asking
from ai_gateway.answer.cached import Caching
from ai_gateway.answer.call import Answer, Call
from ai_gateway.answer.embedding import Embedding
from ai_gateway.answer.forward import Forward
from ai_gateway.answer.guard import Guard, Guarding
from ai_gateway.answer.guarded import Guarded
from ai_gateway.answer.named import Naming
from ai_gateway.answer.places import places
from ai_gateway.answer.record import Decision, digest
from ai_gateway.answer.recording import Recorder
from ai_gateway.answer.relay import Relay
from ai_gateway.answer.restored import Restored
from ai_gateway.answer.route import Choice
from ai_gateway.answer.select import Selection
from ai_gateway.answer.shadow import Shadowing
from ai_gateway.answer.tries import Tries
from ai_gateway.answer.weights import Weights
from ai_gateway.cache.caches import Caches
from ai_gateway.clock import Clock
from ai_gateway.contract import Event
from ai_gateway.cost.prices import Library
from ai_gateway.errors import GatewayError
from ai_gateway.guardrails.engine import Guardrails
from ai_gateway.limits.engine import Limits
from ai_gateway.limits.gate import Gate
from ai_gateway.manifest.model import Manifest
from ai_gateway.metrics import Metrics
from ai_gateway.records import Records
from ai_gateway.resilience.aside import Aside
from ai_gateway.upstream import Upstreams

if TYPE_CHECKING:
    from ai_gateway.webhooks.hooks import Webhooks


class Gateway:
    """Answers calls by one bundle's rules; swapped whole when the bundle is reloaded."""

    def __init__(
        self,
        *,
        manifest: Manifest,
        manifest_hash: str,
        policies: Guardrails,
        records: Records,
        weights: Weights,
        upstreams: Upstreams,
        tries: Tries,
        prices: Library,
        caches: Caches,
        clock: Clock,
        random: Random,
        limits: Limits,
        aside: Aside,
        metrics: Metrics,
        webhooks: Webhooks | None = None,
    ) -> None:
        self._naming = Naming(manifest)
        self._recorder = Recorder(records, manifest_hash, policies, clock, metrics, webhooks)
        self._policies, self._metrics = policies, metrics
        there = places(manifest.models)
        #: What limits and budgets let through.
        self.gate = Gate(manifest, there, policies, prices, limits)
        #: How a guardrail check asks a model, for the sake of an event.
        self.asking = Asking(
            there, upstreams, tries.turns, prices, self._recorder, clock, random
        ).of
        own = frozenset(("", "auto", *manifest.models, *(route.name for route in manifest.routes)))
        self._guard = Guard(policies, self.asking, metrics, own)
        self._selection = Selection(manifest, weights, random, tries.turns.watch(there))
        forward = Forward(there, upstreams, tries, prices, clock)
        unseen = replace(forward, tries=replace(tries, patient=False))
        shadowing = Shadowing(unseen, self._recorder, self.gate, aside, metrics, clock, random)
        self._shadowing = shadowing
        self._forward = forward
        self._caching = Caching(
            manifest,
            there,
            rules=(manifest_hash, policies.digest),
            caches=caches,
            embedding=Embedding(self.answer, clock, random),
            metrics=metrics,
            clock=clock,
        )
        self._relay = Relay(manifest, self._guard, upstreams, clock)

    def answer(self, call: Call) -> Answer:
        """A model's answer to ``call``; raises a GatewayError, which is recorded as well.

        A streamed answer is recorded when it ends.
        """
        call = self._naming.call(call)
        decision = Decision(call.event, call.surface, call.model or None)
        with self._recorder.recorded(decision):
            if call.event.route.target:
                return self._relay.answer(decision)
            self.gate.reserve(call, decision)
            call = self._guard.question(call, decision)
            decision.request = call.body
            if call.event.route.cache is None or decision.route_to is not None:
                answer = self._fresh(call, decision)
            else:
                fresh = partial(self._fresh, call, decision)
                answer = self._caching.answer(call, decision, fresh)
            return _restored(answer, decision) if decision.vault else answer

    def _fresh(self, call: Call, decision: Decision) -> Answer:
        """The answer of a model, guarded."""
        choice = decision.choice = self._selection.choice(call, decision)
        decision.selection = choice.selection
        if decision.route_to is None:
            self._shadowing.repeat(call, decision)
        else:  # what is to go to one model goes to no other
            decision.event = _alone(decision.event)
        if call.stream:
            return self._stream(call, choice, decision)
        answer = self._forward.whole(call, choice, decision)
        passed = self._guard.answer(answer, call.format, decision)
        return answer if passed is answer else _said(passed, decision)

    def refuse(self, event: Event, error: GatewayError) -> None:
        """Record a refusal that came before any surface: a wrong key, a limit, a bad body."""
        self._recorder.write(Decision(event, status=error.status, error=error.code))

    def _stream(self, call: Call, choice: Choice, decision: Decision) -> Answer:
        route = call.event.route
        decision.guarded = self._guard.reads("output", route) and not call.format.binary
        answer = self._forward.stream(call, choice, decision, self._ended)
        if answer.chunks is None or not decision.guarded:
            decision.streamed = True
            return answer
        streaming = self._policies.streaming(route.guardrails)
        guarding = Guarding(self._guard, decision)
        guarded = Guarded(answer.chunks, guarding, streaming, decision, self._guarded)
        guarded.begin()
        decision.streamed = True
        return replace(answer, chunks=guarded)

    def _ended(self, decision: Decision) -> None:
        """A stream is over; one that policies read has yet to be checked as a whole."""
        if not decision.guarded:
            self._recorder.write(decision)

    def _guarded(self, decision: Decision) -> None:
        """A stream that policies read has left, or will not."""
        if decision.leaked:
            self._metrics.leaked.labels(decision.event.route.name).inc(decision.leaked)
        self._recorder.write(decision)


def _alone(event: Event) -> Event:
    """``event`` on a route whose chosen model alone may answer."""
    return replace(event, route=event.route.model_copy(update={"fallback": None}))


def _said(answer: Answer, decision: Decision) -> Answer:
    """``answer``, whose body is another than the model's."""
    decision.digest = digest(answer.data())
    return answer


def _restored(answer: Answer, decision: Decision) -> Answer:
    """``answer`` with the caller's own words in the place of their placeholders."""
    vault, body = decision.vault, answer.body
    if vault is None or answer.pieces is not None:
        return answer
    if answer.chunks is not None:
        return replace(answer, chunks=Restored(answer.chunks, vault))
    back = vault.restored_bytes(body) if isinstance(body, bytes) else vault.restore(body)
    return replace(answer, text=vault.restored(answer.text, escaped=False), body=back)

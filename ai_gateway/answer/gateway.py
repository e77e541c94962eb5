"""``context.answer``: guard, look in the cache, route, forward, guard, record; always so.

Each stage is a file of its own; here is only their order. No surface can reach a model without its
guardrails and its record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from random import Random

from ai_gateway.access.limits import Limits
from ai_gateway.answer.cached import Caching
from ai_gateway.answer.call import Answer, Call, Chunks
from ai_gateway.answer.embedding import Embedding
from ai_gateway.answer.forward import Forward
from ai_gateway.answer.guard import Guard
from ai_gateway.answer.named import Naming
from ai_gateway.answer.places import places
from ai_gateway.answer.record import Decision
from ai_gateway.answer.recording import Recorder
from ai_gateway.answer.relay import Relay
from ai_gateway.answer.route import Choice
from ai_gateway.answer.select import Selection
from ai_gateway.answer.shadow import Shadowing
from ai_gateway.answer.streamed import Held
from ai_gateway.answer.tries import Tries
from ai_gateway.answer.weights import Weights
from ai_gateway.cache.caches import Caches
from ai_gateway.clock import Clock
from ai_gateway.contract import Event
from ai_gateway.cost.prices import Library
from ai_gateway.errors import GatewayError
from ai_gateway.guardrails.engine import Guardrails
from ai_gateway.manifest.model import Manifest
from ai_gateway.metrics import Metrics
from ai_gateway.records import Records
from ai_gateway.resilience.aside import Aside
from ai_gateway.upstream import Upstreams


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
    ) -> None:
        self._naming = Naming(manifest, limits)
        self._recorder = Recorder(records, manifest_hash, policies, clock)
        self._guard = Guard(policies)
        there = places(manifest.models)
        self._selection = Selection(manifest, weights, random, tries.turns.watch(there))
        forward = Forward(there, upstreams, tries, prices, clock)
        unseen = replace(forward, tries=replace(tries, patient=False))
        self._shadowing = Shadowing(unseen, self._recorder, aside, metrics, clock, random)
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
            self._guard.enforce(call.format.texts(call.body), decision)
            if self._guard.reads("input", call.event.route):
                self._guard.enforce(call.format.definitions(call.body), decision)
            decision.request = call.body
            if call.event.route.cache is None:
                return self._fresh(call, decision)
            return self._caching.answer(call, decision, partial(self._fresh, call, decision))

    def _fresh(self, call: Call, decision: Decision) -> Answer:
        """The answer of a model, guarded."""
        choice = decision.choice = self._selection.choice(call, decision)
        decision.selection = choice.selection
        self._shadowing.repeat(call, decision)
        if call.stream:
            return self._stream(call, choice, decision)
        answer = self._forward.whole(call, choice, decision)
        events = [answer.body] if isinstance(answer.body, Mapping) else []
        self._guard.answer(answer.text, events, decision)
        return answer

    def refuse(self, event: Event, error: GatewayError) -> None:
        """Record a refusal that came before any surface: a wrong key, a limit, a bad body."""
        self._recorder.write(Decision(event, status=error.status, error=error.code))

    def _stream(self, call: Call, choice: Choice, decision: Decision) -> Answer:
        answer = self._forward.stream(call, choice, decision, self._ended)
        decision.streamed = True
        if answer.chunks and self._guard.reads("output", call.event.route):
            return replace(answer, chunks=self._held(answer.chunks, decision))
        return answer

    def _held(self, chunks: Chunks, decision: Decision) -> Chunks:
        """All of a stream, once the policies have let it pass."""
        decision.held, decision.streamed = True, False
        try:
            events = list(chunks)
        finally:
            chunks.close()
        self._guard.answer(decision.output or "", events, decision)
        return Held(events)

    def _ended(self, decision: Decision) -> None:
        """A stream is over; one that is held back goes on to be guarded."""
        if not decision.held:
            self._recorder.write(decision)

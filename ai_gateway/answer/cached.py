"""Stage 2: an answer that was given before, to the same request or to one that means the same.

It comes after the guarding of the input; the output was guarded when it was kept, by the policies
whose hash is part of the key. It comes before the routing: what it answers is no choice of a model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, cast

from ai_gateway import strictjson
from ai_gateway.access.allowed import may_ask
from ai_gateway.answer.call import Answer, Call, Chunks
from ai_gateway.answer.embedding import Embedding
from ai_gateway.answer.places import Places
from ai_gateway.answer.record import Decision, digest
from ai_gateway.answer.streamed import Held
from ai_gateway.cache.caches import Caches
from ai_gateway.cache.collect import Collector
from ai_gateway.cache.declared import Cache
from ai_gateway.cache.exact import Cached
from ai_gateway.cache.key import Scope, key, question
from ai_gateway.cache.policy import cacheable, worth
from ai_gateway.cache.replay import replay
from ai_gateway.cache.semantic import Asked, Hit, asked
from ai_gateway.cache.stores import MAX_ENTRY
from ai_gateway.clock import Clock
from ai_gateway.errors import GatewayError
from ai_gateway.manifest.model import Manifest
from ai_gateway.metrics import Metrics

HEADER: Final = "x-gateway-cache"

#: Lets a call through to a model, and guards the answer.
Fresh = Callable[[], Answer]


@dataclass(slots=True)
class _Slot:
    """Where the answer to one request is kept."""

    scope: Scope
    key: str
    declared: Cache
    #: The request as a meaning, where the route asks for that and it was embedded.
    asked: Asked | None = None


@dataclass(frozen=True, slots=True)
class Caching:
    """Looks up and keeps answers by the rules of one bundle, whose hashes are ``rules``."""

    manifest: Manifest
    places: Mapping[str, Places]
    rules: tuple[str, ...]
    caches: Caches
    embedding: Embedding
    metrics: Metrics
    clock: Clock

    def answer(self, call: Call, decision: Decision, fresh: Fresh) -> Answer:
        """The answer that was kept, or what ``fresh`` gives, which is then kept."""
        declared = call.event.route.cache
        told = call.event.headers.get("cache-control", "").lower()  # RFC 9111, 5.2
        if declared is None or "no-store" in told or not _may_be_kept(call, declared):
            return fresh()
        scope = self._scope(call)
        slot = _Slot(scope, key(scope, call.body), declared)
        found = None if "no-cache" in told else self._find(call, slot, decision)
        decision.cache = "hit" if found else "miss"
        self.metrics.cache.labels(call.event.route.name, decision.cache).inc()
        return found or self._kept(fresh(), call, slot, decision)

    def _scope(self, call: Call) -> Scope:
        event, route = call.event, call.event.route
        named = call.model if call.model in self.places else None
        able = [named] if named else self.manifest.candidates(route)
        guardrails = ("all",) if route.guardrails is None else ("these", *route.guardrails)
        passed_on = (f"{name}: {event.headers.get(name)}" for name in call.format.headers)
        return Scope(
            tenant=event.caller.tenant,
            route=route.name,
            # An endpoint may change under its name, by a variable, while the file stays as it is.
            models=tuple(
                f"{name} {place.model.model_id} {place.model.url}"
                for name in able
                if may_ask(name, event.caller)  # an answer of another is not for him
                for place in self.places[name]
            ),
            format=call.format.name,
            rules=(*self.rules, call.model or "auto", *guardrails, *passed_on),
        )

    def _find(self, call: Call, slot: _Slot, decision: Decision) -> Answer | None:
        cached = self.caches.exact.get(slot.scope.tenant, slot.key)
        if cached is not None:
            return self._replayed(call, Hit(cached, 1.0), decision)
        semantic = slot.declared.semantic
        if semantic is None or call.format.reader is None:
            return None
        asked_before = question(slot.scope, call.body, semantic.model)
        if asked_before is None:
            return None
        began = self.clock.monotonic()
        embed = partial(self.embedding.vector, model=semantic.model, event=call.event)
        slot.asked = asked(asked_before, embed)
        decision.waited_ms += (self.clock.monotonic() - began) * 1000  # for a model, as attempts
        hit = slot.asked and self.caches.semantic.find(slot.asked, semantic.threshold)
        return self._replayed(call, hit, decision) if hit else None

    def _replayed(self, call: Call, hit: Hit, decision: Decision) -> Answer | None:
        """What was kept as an answer to ``call``; None for what is none, as others may write it."""
        cached = hit.cached
        try:
            reading = call.format.read(cached.body)
            whole = Answer(cached.model, reading.text, cached.body)
            chunks = _events(call, cached.body) if call.stream else None
        except (GatewayError, LookupError, TypeError, ValueError, AttributeError):
            return None
        decision.selection, decision.hit = "cache", hit
        decision.served, decision.simulated = cached.model, cached.simulated
        decision.output, decision.finish_reason = reading.text, reading.finish_reason
        headers = self._explain(cached)
        if chunks is not None:
            return Answer(cached.model, headers=headers, chunks=chunks)
        decision.digest = digest(strictjson.dumps(cached.body))
        return replace(whole, headers=headers)

    def _explain(self, cached: Cached) -> dict[str, str]:
        headers = {
            "x-gateway-model": cached.model,
            "x-gateway-decision": "cache",
            HEADER: "hit",
            "age": str(max(0, int(self.clock.now() - cached.stored_at))),
        }
        return headers | {"x-gateway-simulated": "true"} if cached.simulated else headers

    def _kept(self, answer: Answer, call: Call, slot: _Slot, decision: Decision) -> Answer:
        """``answer``, once it is kept; a stream is when it has ended."""
        answer = replace(answer, headers={**answer.headers, HEADER: "miss"})
        if answer.chunks is not None:
            keep = partial(self._keep, call=call, slot=slot, decision=decision)
            return replace(answer, chunks=_Passing(answer.chunks, call.format.name, keep))
        body = cast("Mapping[str, Any]", answer.body)  # bytes are of formats that are not kept
        self._keep(body, call=call, slot=slot, decision=decision)
        return answer

    def _keep(
        self, body: Mapping[str, Any], *, call: Call, slot: _Slot, decision: Decision
    ) -> None:
        """Keep a whole answer of the model that was chosen: not one that broke, or stood in."""
        choice, served = decision.choice, decision.served
        if served is None or choice is None or served != choice.chosen or decision.error:
            return
        if not worth(decision.finish_reason, call.format.name):
            return
        data = Cached(
            model=served,
            body=body,
            stored_at=self.clock.now(),
            request_id=call.event.request_id,
            cost=float(decision.charge.amount) if decision.charge else None,
            simulated=decision.simulated,
        ).packed()
        if data is None or len(data) > MAX_ENTRY:
            return
        ttl, semantic = slot.declared.ttl, slot.declared.semantic
        self.caches.exact.put(slot.scope.tenant, slot.key, data, ttl)
        if semantic and slot.asked:
            self.caches.semantic.put(slot.asked, data, ttl, semantic.entries)


def _may_be_kept(call: Call, declared: Cache) -> bool:
    """Whether ``call`` has an answer to keep, whole or as the stream that it asks for."""
    streams = call.format.reader is not None or not call.stream
    return streams and cacheable(call.body, call.format.name, declared)


def _events(call: Call, body: Mapping[str, Any]) -> Chunks:
    return Held(list(replay(body, call.format.name, call.body)))


class _Passing:
    """A stream that is put together as it passes; what has come to its end is kept."""

    def __init__(
        self, chunks: Chunks, format_name: str, keep: Callable[[Mapping[str, Any]], None]
    ) -> None:
        self._chunks = chunks
        self._collector = Collector(format_name)
        self._keep = keep

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The events' data."""
        for chunk in self._chunks:
            self._collector.add(chunk)
            yield chunk
        whole = self._collector.answer()
        if whole is not None:
            self._keep(whole)

    def close(self) -> None:
        """Let go of the stream; one that did not end is not kept."""
        self._chunks.close()

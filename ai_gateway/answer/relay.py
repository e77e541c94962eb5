"""Stages 2 and 3 of a route with a target: where it goes is the operator's choice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ai_gateway.answer import proxied
from ai_gateway.answer.attempts import attempted, cancel, deadline
from ai_gateway.answer.call import Answer
from ai_gateway.answer.guard import Guard
from ai_gateway.answer.places import where
from ai_gateway.answer.record import Decision, digest
from ai_gateway.answer.vault import Vault
from ai_gateway.clock import Clock
from ai_gateway.manifest.model import Manifest
from ai_gateway.telemetry.tracing import Called
from ai_gateway.upstream import RawReply, Upstreams

#: W3C Trace Context.
_TRACE = ("traceparent", "tracestate")


@dataclass(frozen=True, slots=True)
class Relay:
    """Passes requests on to the targets of one bundle."""

    manifest: Manifest
    guard: Guard
    upstreams: Upstreams
    clock: Clock

    def answer(self, decision: Decision) -> Answer:
        """What the target of the decision's route answers, whatever its status."""
        event, name = decision.event, decision.event.route.name
        question, vault = self._question(decision)
        decision.selection = "pinned"
        request = proxied.request(event, self.manifest, question.data)
        called = Called(name, event.method, request.target)
        with attempted(decision, self.clock, where(request.target), called) as attempt:
            by = deadline(event, self.clock, request.timeout.whole)
            if attempt.headers:
                request = replace(request, headers=_traced(event.headers, attempt.headers))
            raw = self.upstreams.relay(request, by, cancel=cancel(event))
            attempt.status = raw.status
        decision.served, decision.status = name, raw.status
        decision.first_byte_ms = raw.first_byte_ms
        raw = self._guarded(raw, decision)
        text = decision.output or ""
        if vault:
            text = vault.restored(text, escaped=False)
            raw = raw._replace(body=vault.restored_bytes(raw.body))
        decision.digest = digest(raw.body)
        explained = {"x-gateway-model": name, "x-gateway-decision": "pinned"}
        return Answer(name, text, raw.body, raw.status, {**raw.headers, **explained})

    def _question(self, decision: Decision) -> tuple[proxied.Content, Vault | None]:
        """What goes out, with placeholders where a policy redacts, and what these stand for."""
        event = decision.event
        question, policies = proxied.question(event), self.guard.policies
        found = policies.inspect(
            question.texts, event.route.guardrails, weigh=False, whose=event.caller.tenant
        )
        vault, clean = None, True
        if found.redactions:
            vault = Vault(text.text for text in question.texts)
            data = vault.hidden_bytes(question.data, found.redactions)
            question = proxied.question(replace(event, body=data))
            clean = self.guard.clean(question.texts, vault, decision)
        decision.input = question.text if clean else None
        self.guard.settle(found, self.guard.scene(decision, question.texts), decision, clean=clean)
        return question, vault

    def _guarded(self, raw: RawReply, decision: Decision) -> RawReply:
        """The answer, with kinds where a policy redacts."""
        reply, clean = proxied.reply(raw), True
        found = self.guard.inspect(reply.texts, decision)
        if found.redactions:
            masks = Vault(numbered=False)
            raw = raw._replace(body=masks.hidden_bytes(raw.body, found.redactions))
            reply = proxied.reply(raw)
            clean = self.guard.clean(reply.texts, masks, decision)
        decision.output = reply.text if clean else None
        self.guard.refuse(found, decision, clean=clean)
        return raw


def _traced(given: Mapping[str, str], ours: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The caller's headers, with our trace in the place of his."""
    kept = {name: value for name, value in given.items() if name not in _TRACE}
    return {**kept, **dict(ours)}

"""Stages 2 and 3 of a route with a target: where it goes is the operator's choice."""

from __future__ import annotations

from dataclasses import dataclass

from ai_gateway.answer import proxied
from ai_gateway.answer.attempts import attempted, cancel, deadline
from ai_gateway.answer.call import Answer
from ai_gateway.answer.guard import Guard
from ai_gateway.answer.places import where
from ai_gateway.answer.record import Decision, digest
from ai_gateway.clock import Clock
from ai_gateway.manifest.model import Manifest
from ai_gateway.upstream import Upstreams


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
        question = proxied.question(event)
        self.guard.enforce(question.texts, decision)
        decision.selection = "pinned"
        request = proxied.request(event, self.manifest, question.data)
        with attempted(decision, self.clock, name, where(request.target)) as attempt:
            by = deadline(event, self.clock, request.timeout.whole)
            raw = self.upstreams.relay(request, by, cancel=cancel(event))
            attempt.status = raw.status
        reply = proxied.reply(raw)
        decision.served, decision.status = name, raw.status
        decision.first_byte_ms, decision.digest = raw.first_byte_ms, digest(raw.body)
        decision.output = reply.text
        self.guard.enforce(reply.texts, decision)
        explained = {"x-gateway-model": name, "x-gateway-decision": "pinned"}
        return Answer(name, reply.text, raw.body, raw.status, {**raw.headers, **explained})

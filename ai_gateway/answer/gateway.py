"""``context.answer``: guard the input, route, forward, guard the output, record; always so.

The upstream is private to this file, so no surface can reach a model without its guardrails and
its record.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

from ai_gateway import strictjson
from ai_gateway.answer import guard, proxied
from ai_gateway.answer.call import Answer, Call
from ai_gateway.answer.record import MAX_NAME, Attempt, Decision, digest, row
from ai_gateway.answer.route import SEEDS, Choice, choose, pinned
from ai_gateway.answer.weights import Weights
from ai_gateway.clock import Clock
from ai_gateway.contract import Event
from ai_gateway.errors import GatewayError, PolicyViolation, UnknownModel, internal_error
from ai_gateway.guardrails.engine import Guardrails, Text
from ai_gateway.manifest.model import Manifest, Route
from ai_gateway.records import Records
from ai_gateway.upstream import Upstreams

_AUTO = (None, "", "auto")


@dataclass(frozen=True, slots=True)
class Gateway:
    """Answers calls by one bundle's rules; swapped whole when the bundle is reloaded."""

    manifest: Manifest
    manifest_hash: str
    policies: Guardrails
    records: Records
    weights: Weights
    upstreams: Upstreams
    clock: Clock
    random: Random

    def answer(self, call: Call) -> Answer:
        """A model's answer to ``call``; raises a GatewayError, which is recorded as well."""
        decision = Decision(call.event, call.surface, call.model or None)
        with self._recorded(decision):
            if call.event.route.target:
                return self._relay(call, decision)
            self._guard(call.format.texts(call.body), decision)
            decision.request = call.body
            choice = decision.choice = self._choose(call, decision)
            decision.selection = choice.selection
            answer = self._forward(call, choice, decision)
            self._guard([Text(answer.text, "output")], decision)
        return answer

    def _relay(self, call: Call, decision: Decision) -> Answer:
        """The same stages for a route with a target: where it goes is the operator's choice."""
        event, name = call.event, call.event.route.name
        question = proxied.question(event)
        self._guard(question.texts, decision)
        decision.selection = "pinned"
        request = proxied.request(event, self.manifest, question.data)
        with self._attempt(name, decision) as attempt:
            raw = self.upstreams.relay(request, _deadline(event, self.clock, request.timeout.whole))
            attempt.status = raw.status
        reply = proxied.reply(raw)
        decision.served, decision.status = name, raw.status
        decision.first_byte_ms, decision.digest = raw.first_byte_ms, digest(raw.body)
        decision.output = reply.text
        self._guard(reply.texts, decision)
        explained = {"x-gateway-model": name, "x-gateway-decision": "pinned"}
        return Answer(name, reply.text, raw.body, raw.status, {**raw.headers, **explained})

    def refuse(self, event: Event, error: GatewayError) -> None:
        """Record a refusal that came before any surface: a wrong key, a limit, a bad body."""
        self._write(Decision(event, status=error.status, error=error.code))

    @contextmanager
    def _recorded(self, decision: Decision) -> Iterator[None]:
        try:
            yield
        except GatewayError as error:
            decision.status, decision.error, error.recorded = error.status, error.code, True
            raise
        except Exception as error:
            failure = internal_error(decision.event.request_id)
            decision.status, decision.error, failure.recorded = failure.status, failure.code, True
            raise failure from error
        finally:
            self._write(decision)

    def _write(self, decision: Decision) -> None:
        route = decision.event.route
        self.records.append(
            "requests",
            row(
                decision,
                now=self.clock.monotonic(),
                manifest_hash=self.manifest_hash,
                policies=self.policies.names if route.guardrails is None else route.guardrails,
                policies_hash=self.policies.digest,
            ),
        )

    def _guard(self, texts: list[Text], decision: Decision) -> None:
        """Let ``texts`` pass or raise PolicyViolation; what the caller sent is noted either way."""
        if decision.input is None:
            decision.input = "\n".join(text.text for text in texts)
        inspection = guard.inspect(self.policies, texts, decision.event.route.guardrails)
        decision.verdicts.extend(inspection.verdicts)
        try:
            guard.enforce(inspection)
        except PolicyViolation:
            decision.selection = decision.selection or "guardrail"
            raise

    def _choose(self, call: Call, decision: Decision) -> Choice:
        route = call.event.route
        models = self.manifest.candidates(route)
        published = self.weights.current
        decision.weights_id = published.id
        if call.model not in _AUTO:
            return pinned(_known(call.model, models, route), published.score(call.model))
        if not models:
            raise UnknownModel(f"No model is defined for route {route.name}.", param="model")
        scores = {model: published.score(model) for model in models}
        return choose(models, scores, route.routing, self.random.randrange(SEEDS))

    def _forward(self, call: Call, choice: Choice, decision: Decision) -> Answer:
        name, model = choice.chosen, self.manifest.models[choice.chosen]
        with self._attempt(name, decision) as attempt:
            deadline = _deadline(call.event, self.clock, model.timeout.whole)
            reply = self.upstreams.complete(model, call.body, deadline)
            attempt.status = reply.status
        decision.served, decision.output = name, reply.text
        decision.usage, decision.price = reply.usage, model.price
        decision.first_byte_ms, decision.finish_reason = reply.first_byte_ms, reply.finish_reason
        decision.simulated = reply.simulated
        body = {**reply.body, "model": name}  # which the endpoint calls by another name
        decision.digest = digest(strictjson.dumps(body))
        headers = _explain(name, choice, simulated=reply.simulated)
        return Answer(name, reply.text, body, reply.status, headers)

    @contextmanager
    def _attempt(self, model: str, decision: Decision) -> Iterator[Attempt]:
        attempt = Attempt(model)
        started = self.clock.monotonic()
        try:
            yield attempt
        except GatewayError as error:
            attempt.error = error.code
            raise
        finally:
            attempt.latency_ms = (self.clock.monotonic() - started) * 1000
            decision.attempts.append(attempt)


def _known(name: str | None, models: tuple[str, ...], route: Route) -> str:
    if name not in models:
        named, there_is = (name or "")[:MAX_NAME], ", ".join(models)
        raise UnknownModel(
            f"There is no model {named!r} on route {route.name}; there is {there_is}.",
            param="model",
        )
    return name


def _deadline(event: Event, clock: Clock, whole: float) -> float:
    """When ``event`` must be answered: by the upstream's bound, and by its route's own."""
    of_upstream = clock.monotonic() + whole
    timeout = event.route.timeout
    return of_upstream if timeout is None else min(of_upstream, event.started + timeout)


def _explain(model: str, choice: Choice, *, simulated: bool) -> dict[str, str]:
    headers = {
        "x-gateway-model": model,
        "x-gateway-decision": f"{choice.selection}; propensity={choice.propensity:.6g}",
    }
    return headers | {"x-gateway-simulated": "true"} if simulated else headers

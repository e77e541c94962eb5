"""``context.answer``: guard the input, route, forward, guard the output, record; always so.

The upstream is private to this file, so no surface can reach a model without its guardrails and
its record.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Any, cast

from ai_gateway import strictjson
from ai_gateway.answer import guard, proxied
from ai_gateway.answer.call import Answer, Call, Chunks
from ai_gateway.answer.record import MAX_NAME, Attempt, Decision, digest, row
from ai_gateway.answer.route import SEEDS, Choice, choose, pinned
from ai_gateway.answer.streamed import Held, Streamed, Translated
from ai_gateway.answer.tries import Tries
from ai_gateway.answer.weights import Weights
from ai_gateway.clock import Clock
from ai_gateway.contract import Event
from ai_gateway.errors import (
    BadRequest,
    GatewayError,
    PolicyViolation,
    UnknownModel,
    internal_error,
)
from ai_gateway.formats import Reading
from ai_gateway.guardrails.engine import Guardrails, Text
from ai_gateway.manifest.model import Manifest, Route
from ai_gateway.records import Records
from ai_gateway.translate.table import spoken
from ai_gateway.upstream import Upstreams
from ai_gateway.upstream.cancel import NEVER, Cancel

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
    tries: Tries
    clock: Clock
    random: Random

    def answer(self, call: Call) -> Answer:
        """A model's answer to ``call``; raises a GatewayError, which is recorded as well.

        A streamed answer is recorded when it ends.
        """
        decision = Decision(call.event, call.surface, call.model or None)
        with self._recorded(decision):
            if call.event.route.target:
                return self._relay(call, decision)
            self._guard(call.format.texts(call.body), decision)
            decision.request = call.body
            choice = decision.choice = self._choose(call, decision)
            decision.selection = choice.selection
            if call.stream:
                return self._stream(call, choice, decision)
            return self._forward(call, choice, decision)

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
            if not decision.streamed:
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
        def once(name: str) -> Answer:
            return self._send(call, name, choice, decision)

        answer = self.tries.until_one_answers(call.event, choice.chosen, self.manifest, once)
        self._guard([Text(answer.text, "output")], decision)
        return answer

    def _send(self, call: Call, name: str, choice: Choice, decision: Decision) -> Answer:
        model = self.manifest.models[name]
        translation, form = spoken(call.format, model.dialect)
        body = translation.request(call.body) if translation else call.body
        with self._attempt(name, decision) as attempt:
            reply = self.upstreams.send(
                model, form.path, body, self._deadline(call, name), cancel=_cancel(call.event)
            )
            attempt.status = reply.status
            said = cast("dict[str, Any]", reply.body)
            reading = form.read(said)
        decision.first_byte_ms, decision.simulated = reply.first_byte_ms, reply.simulated
        self._said(reading, name, decision)
        answered = translation.answer(said, call.body) if translation else said
        answered = {**answered, "model": name}  # which the endpoint calls by another name
        decision.digest = digest(strictjson.dumps(answered))
        headers = _explain(name, choice, simulated=reply.simulated)
        return Answer(name, reading.text, answered, reply.status, headers)

    def _stream(self, call: Call, choice: Choice, decision: Decision) -> Answer:
        def once(name: str) -> Answer:
            return self._open(call, name, choice, decision)

        answer = self.tries.until_one_answers(call.event, choice.chosen, self.manifest, once)
        decision.streamed = True
        if answer.chunks and self.policies.guards("output", call.event.route.guardrails):
            return replace(answer, chunks=self._held(answer.chunks, decision))
        return answer

    def _open(self, call: Call, name: str, choice: Choice, decision: Decision) -> Answer:
        model = self.manifest.models[name]
        translation, form = spoken(call.format, model.dialect)
        if form.reader is None:
            raise BadRequest(f"{call.format.name} answers are not streamed.", param="stream")
        body = translation.request(call.body) if translation else call.body
        with self._attempt(name, decision) as attempt:
            source = self.upstreams.stream(
                model, form.path, body, self._deadline(call, name), cancel=_cancel(call.event)
            )
            attempt.status = source.status
        decision.first_byte_ms, decision.simulated = source.first_event_ms, source.simulated
        streamed = Streamed(source, form.reader(), partial(self._ended, name, decision))
        headers = _explain(name, choice, simulated=source.simulated)
        chunks = Translated(streamed, translation, call.body, name)
        return Answer(name, headers=headers, chunks=chunks)

    def _held(self, chunks: Chunks, decision: Decision) -> Chunks:
        """All of a stream, once the policies have let it pass."""
        decision.held, decision.streamed = True, False
        try:
            held = Held(list(chunks))
        finally:
            chunks.close()
        self._guard([Text(decision.output or "", "output")], decision)
        return held

    def _ended(
        self, name: str, decision: Decision, reading: Reading, error: GatewayError | None
    ) -> None:
        """A stream is over: by itself, by a failure, or because the caller left."""
        self._said(reading, name, decision)
        attempt = decision.attempts[-1]
        attempt.latency_ms = (self.clock.monotonic() - attempt.started) * 1000
        if error:
            attempt.error = decision.error = error.code
            decision.status = error.status
        if not decision.held:
            self._write(decision)

    def _said(self, reading: Reading, name: str, decision: Decision) -> None:
        decision.served, decision.output = name, reading.text
        decision.usage, decision.finish_reason = reading.usage, reading.finish_reason
        decision.price = self.manifest.models[name].price

    def _deadline(self, call: Call, name: str) -> float:
        return _deadline(call.event, self.clock, self.manifest.models[name].timeout.whole)

    @contextmanager
    def _attempt(self, model: str, decision: Decision) -> Iterator[Attempt]:
        started = self.clock.monotonic()
        attempt = Attempt(model, started=started)
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


def _cancel(event: Event) -> Cancel:
    return NEVER if event.cancel is None else event.cancel


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

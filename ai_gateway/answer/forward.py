"""Stage 3: a call is put to the chosen model, or to what may answer instead, in its own dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from ai_gateway.access.allowed import may_ask
from ai_gateway.answer.attempts import attempted, cancel, deadline
from ai_gateway.answer.call import Answer, Call
from ai_gateway.answer.pieces import Pieces
from ai_gateway.answer.places import Place, Places
from ai_gateway.answer.record import Attempt, Decision, digest
from ai_gateway.answer.route import Choice
from ai_gateway.answer.streamed import Streamed, Translated
from ai_gateway.answer.tries import Tries
from ai_gateway.answer.turns import Turn
from ai_gateway.clock import Clock
from ai_gateway.cost.charge import charge_of
from ai_gateway.cost.estimate import complete
from ai_gateway.cost.prices import Library
from ai_gateway.errors import BadRequest, CallerLeft, Forbidden, GatewayError, UpstreamTimeout
from ai_gateway.formats import Body, Format, Reading
from ai_gateway.telemetry.tracing import Called
from ai_gateway.translate.table import OWN
from ai_gateway.upstream import Reply, Stream, Upstreams
from ai_gateway.upstream.binary import Binary
from ai_gateway.upstream.errors import upstream_id
from ai_gateway.upstream.stream import named

#: Told once of a stream that is over; what it came to is in the decision.
Ended = Callable[[Decision], None]


@dataclass(frozen=True, slots=True)
class Forward:
    """The one way to the models of a bundle."""

    models: Mapping[str, Places]
    upstreams: Upstreams
    tries: Tries
    prices: Library
    clock: Clock

    def whole(self, call: Call, choice: Choice, decision: Decision) -> Answer:
        """An answer in one piece."""
        place = self.models[choice.chosen][0]
        own = OWN.get((call.format.name, place.model.dialect))
        if own is not None:  # whether the model could be asked now does not matter
            return _own_answer(own(call.body), place, choice, decision)

        def once(turn: Turn) -> Answer:
            return self._send(call, turn, choice, decision)

        return self._until_one_answers(call, choice, decision, once)

    def stream(self, call: Call, choice: Choice, decision: Decision, ended: Ended) -> Answer:
        """An answer of which something is here already; the rest comes as it is read."""

        def once(turn: Turn) -> Answer:
            return self._open(call, turn, choice, decision, ended)

        return self._until_one_answers(call, choice, decision, once)

    def _until_one_answers(
        self, call: Call, choice: Choice, decision: Decision, once: Callable[[Turn], Answer]
    ) -> Answer:
        def takes(name: str) -> bool:
            if not may_ask(name, call.event.caller):  # of which the record tells
                decision.attempts.append(Attempt(name, error=Forbidden.code))
                return False
            return call.refusal(self.models[name][0].model.dialect) is None

        def counted(turn: Turn) -> Answer:
            try:
                return once(turn)
            except (CallerLeft, UpstreamTimeout) as error:
                if error.may_have_run:  # who has read the input bills it, whoever waits no longer
                    self._used(call, Reading(), turn.place, decision, broken=True)
                raise

        return self.tries.until_one_answers(decision, choice.chosen, self.models, counted, takes)

    def _send(self, call: Call, turn: Turn, choice: Choice, decision: Decision) -> Answer:
        place, model = turn.place, turn.place.model
        spoken = call.spoken(model.dialect)
        form, by = spoken.format, self._by(call, turn)
        if spoken.own is not None:
            turn.drop()
            return _own_answer(spoken.own, place, choice, decision)
        with self._attempted(turn, decision, form) as attempt:
            reply = self.upstreams.send(
                model,
                form.path,
                spoken.body,
                by,
                files=call.files,
                cancel=cancel(call.event),
                headers=[*_own(call, form), *attempt.headers],
            )
            attempt.status = reply.status
            said = reply.body
            if attempt.span is not None and isinstance(said, dict):
                attempt.span.answered_by = named(said)
            reading = form.plain(said) if isinstance(said, bytes) else form.read(said)
        turn.end()
        decision.first_byte_ms, decision.simulated = reply.first_byte_ms, reply.simulated
        self._said(call, reading, place, decision)
        headers = _explain(place.name, choice, reply)
        if isinstance(said, bytes):
            decision.digest = digest(said)
            headers["content-type"] = reply.headers.get("content-type", "text/plain")
            return Answer(place.name, reading.text, said, reply.status, headers)
        answered = spoken.answer(said)
        if call.format.named:  # the endpoint calls it by another name
            answered = {**answered, call.format.named: place.name}
        answer = Answer(place.name, reading.text, answered, reply.status, headers)
        decision.digest = digest(answer.data())
        return answer

    def _open(
        self, call: Call, turn: Turn, choice: Choice, decision: Decision, ended: Ended
    ) -> Answer:
        place, model = turn.place, turn.place.model
        spoken = call.spoken(model.dialect)
        form, by = spoken.format, self._by(call, turn)
        if form.binary:
            return self._pieces(call, turn, choice, decision, ended)
        if form.reader is None:
            raise BadRequest(f"{call.format.name} answers are not streamed.", param="stream")
        with self._attempted(turn, decision, form, streamed=True) as attempt:
            source = self.upstreams.stream(
                model,
                form.path,
                spoken.body,
                by,
                files=call.files,
                cancel=cancel(call.event),
                headers=[*_own(call, form), *attempt.headers],
                says=form.says,
            )
            attempt.status = source.status
            if attempt.span is not None:
                attempt.span.answered_by = source.named
        turn.begin()
        decision.first_byte_ms, decision.simulated = source.first_event_ms, source.simulated
        over = partial(self._ended, call=call, turn=turn, decision=decision, ended=ended)
        streamed = Streamed(source, form.reader(), over)
        headers = _explain(place.name, choice, source)
        chunks = Translated(streamed, spoken, place.name, call.event.request_id)
        return Answer(place.name, headers=headers, chunks=chunks)

    def _pieces(
        self, call: Call, turn: Turn, choice: Choice, decision: Decision, ended: Ended
    ) -> Answer:
        """An answer of bytes; of the record they are a size and a digest."""
        place, model = turn.place, turn.place.model
        spoken = call.spoken(model.dialect)
        by = self._by(call, turn)
        with self._attempted(turn, decision, spoken.format, streamed=True) as attempt:
            source = self.upstreams.binary(
                model,
                spoken.format.path,
                spoken.body,
                by,
                cancel=cancel(call.event),
                headers=attempt.headers,
            )
            attempt.status = source.status
        turn.begin()
        decision.first_byte_ms, decision.simulated = source.first_event_ms, source.simulated

        def over(size: int, sha256: str, error: GatewayError | None) -> None:
            decision.digest = sha256
            said = Reading(f"{source.content_type}, {size} bytes")
            self._ended(said, error, call=call, turn=turn, decision=decision, ended=ended)

        headers = _explain(place.name, choice, source)
        headers["content-type"] = source.content_type
        return Answer(place.name, headers=headers, pieces=Pieces(source, over))

    def _ended(
        self,
        reading: Reading,
        error: GatewayError | None,
        *,
        call: Call,
        turn: Turn,
        decision: Decision,
        ended: Ended,
    ) -> None:
        """A stream is over: by itself, by a failure, or because the caller left."""
        turn.end(error)
        self._said(call, reading, turn.place, decision, broken=error is not None)
        attempt = decision.attempts[-1]
        attempt.latency_ms = (self.clock.monotonic() - attempt.started) * 1000
        if error:
            attempt.error = decision.error = error.code
            decision.status = error.status
        ended(decision)

    def _said(
        self,
        call: Call,
        reading: Reading,
        place: Place,
        decision: Decision,
        *,
        broken: bool = False,
    ) -> None:
        decision.output, decision.finish_reason = reading.text, reading.finish_reason
        self._used(call, reading, place, decision, broken=broken)

    def _used(
        self, call: Call, reading: Reading, place: Place, decision: Decision, *, broken: bool
    ) -> None:
        decision.served = place.name
        decision.usage = complete(call.format, call.body, reading, broken=broken)
        decision.charge = charge_of(decision.usage, place.model, self.prices)

    def _by(self, call: Call, turn: Turn) -> float:
        """When the answer must be here: one try has the model's time-out, all have one deadline."""
        return min(turn.by, deadline(call.event, self.clock, turn.place.model.timeout.whole))

    def _attempted(
        self, turn: Turn, decision: Decision, form: Format, *, streamed: bool = False
    ) -> AbstractContextManager[Attempt]:
        place = turn.place
        called = Called(place.name, form.name, place.model.url, place.model, streamed)
        return attempted(decision, self.clock, place.where, called, turn.waited)


def _own_answer(body: Body, place: Place, choice: Choice, decision: Decision) -> Answer:
    """What the gateway says in place of a model that nobody can ask for it."""
    headers = _explain(place.name, choice) | {"x-gateway-estimated": "true"}
    answer = Answer(place.name, body=body, headers=headers)
    decision.served, decision.digest = place.name, digest(answer.data())
    return answer


def _own(call: Call, form: Format) -> list[tuple[str, str]]:
    """The caller's headers that belong to his API, where the model speaks that very one."""
    if not form.headers or form is not call.format:
        return []
    given = call.event.headers
    return [(name, given[name]) for name in form.headers if name in given]


def _explain(
    model: str, choice: Choice, answered: Reply | Stream | Binary | None = None
) -> dict[str, str]:
    headers = {
        "x-gateway-model": model,
        "x-gateway-decision": f"{choice.selection}; propensity={choice.propensity:.6g}",
    }
    if answered is None:
        return headers
    if answered.simulated:
        headers["x-gateway-simulated"] = "true"
    return headers | upstream_id(answered.request_id)

"""One judging: an answer goes to the judge's model, and comes back as one row of the scores table.

The call is an ordinary one through ``context.answer``, so that its decision record tells what
judging costs. The record keeps no text: the route is the judge's own, with ``privacy: none``, and
no guardrail looks at what was looked at when it was asked and answered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from ai_gateway.answer.call import Call
from ai_gateway.contract import Caller, Context, Event
from ai_gateway.errors import GatewayError
from ai_gateway.ids import new_id
from ai_gateway.judge.prompts import Prompt
from ai_gateway.judge.verdict import MAX_REASON, Verdict, VerdictError, parse
from ai_gateway.manifest.model import Judge, Route, Routing

MAX_TEXT: Final = 20_000  # characters of a question, and of an answer, that a judge is shown
MAX_WAIT: Final = 3600.0  # seconds between two attempts at most
INVALID: Final = "invalid_verdict"  # the error of a reply that ``verdict.parse`` refuses


@dataclass(frozen=True, slots=True)
class Case:
    """An answer that is due: its decision record, and the number of this attempt, from 1."""

    record: Mapping[str, Any]
    attempt: int
    probability: float
    nonce: str
    judge_request_id: str


@dataclass(frozen=True, slots=True)
class Judging:
    """What all judgings of a tick share."""

    context: Context
    judge: Judge
    prompt: Prompt
    tick_id: str

    def case(self, record: Mapping[str, Any], probability: float) -> Case:
        """What ``judged`` needs of one of ``unjudged``'s rows.

        Everything random is drawn here, by the one thread that hands out the cases, so that a
        seeded source gives each of them the same whatever order they end in.
        """
        record = {**record, "input": cut(record["input"] or ""), "output": cut(record["output"])}
        return Case(
            record=record,
            attempt=record["attempt"],
            probability=probability,
            nonce=_nonce(self.context.random, record["input"] + record["output"]),
            judge_request_id=new_id(self.context.clock, self.context.random),
        )

    def judged(self, case: Case) -> dict[str, Any]:
        """The row that judging ``case`` came to, which is kept before it is returned."""
        try:
            verdict = parse(self.context.answer(self._call(case)).text)
        except VerdictError as error:
            row = self._row(case, **self._failure(case, INVALID, str(error)))
        except GatewayError as error:
            row = self._row(case, **self._failure(case, error.code, error.message))
        else:
            row = self._row(case, **_scored(verdict))
        self.context.records.append("scores", row)
        return row

    def _call(self, case: Case) -> Call:
        record, clock, model = case.record, self.context.clock, self.judge.model
        filled = self.prompt.fill(record["input"], record["output"], case.nonce)
        event = Event(
            request_id=case.judge_request_id,
            route=_route(model),
            method="TICK",
            path="/judge-tick",
            received_at=clock.now(),
            started=clock.monotonic(),
            caller=Caller(id="judge-tick", scheme="job", tenant=record["tenant"]),
        )
        messages = [{"role": "user", "content": filled}]
        body = {"messages": messages, "temperature": 0, "max_tokens": self.judge.max_tokens}
        return Call(event, surface="judge", body=body, model=model)

    def _failure(self, case: Case, error: str, reason: str) -> dict[str, Any]:
        failed = {"score": None, "reason": reason[:MAX_REASON], "error": error, "retry_at": None}
        if case.attempt >= self.judge.attempts:
            return {**failed, "outcome": "given_up"}
        # 30 doublings are beyond MAX_WAIT whatever the backoff, and below what a float holds.
        wait = min(MAX_WAIT, self.judge.backoff * 2.0 ** min(case.attempt - 1, 30))
        return {**failed, "outcome": "failed", "retry_at": _micros(self.context.clock.now() + wait)}

    def _row(self, case: Case, **outcome: Any) -> dict[str, Any]:
        record = case.record
        return {
            "schema_version": 1,
            "score_id": score_id(record["request_id"], self.prompt.name, case.attempt),
            "request_id": record["request_id"],
            "requested_at": record["received_at"],
            "judged_at": _micros(self.context.clock.now()),
            "tick_id": self.tick_id,
            "tenant": record["tenant"],
            "model": record["served"],
            "judge": self.judge.model,
            "prompt": self.prompt.name,
            "attempt": case.attempt,
            "selection_probability": case.probability,
            "judge_request_id": case.judge_request_id,
            **outcome,
        }


def cut(text: str) -> str:
    """``text`` with its middle left out, and a mark in its place, where it is over MAX_TEXT."""
    if len(text) <= MAX_TEXT:
        return text
    half = MAX_TEXT // 2
    return f"{text[:half]}\n[{len(text) - MAX_TEXT} characters left out]\n{text[-half:]}"


def score_id(request_id: str, prompt: str, attempt: int) -> str:
    """The same for the same attempt, so that a row which is written twice is read once."""
    return hashlib.sha256(f"{request_id}\n{prompt}\n{attempt}".encode()).hexdigest()[:32]


def _nonce(random: Random, text: str) -> str:
    """16 hex digits that do not stand in ``text``."""
    while (nonce := f"{random.getrandbits(64):016x}") in text:
        pass
    return nonce


def _route(model: str) -> Route:
    return Route(
        name="judge-tick",
        path="/judge-tick",
        guardrails=(),
        privacy="none",
        routing=Routing(models=(model,)),
    )


def _scored(verdict: Verdict) -> dict[str, Any]:
    return {
        "outcome": "scored",
        "score": verdict.score,
        "reason": verdict.reason,
        "error": None,
        "retry_at": None,
    }


def _micros(seconds: float) -> int:
    return round(seconds * 1e6)

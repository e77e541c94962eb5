"""One tick of the judge: take the lease, find what is due, judge it, publish the models' scores.

A tick may be killed at any point. Each verdict is kept as it arrives; what was judged is not due
again, and scores that were kept but not published are published by the next tick.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from ai_gateway.contract import Context
from ai_gateway.errors import BadRequest, GatewayError, UpstreamRefused
from ai_gateway.ids import new_id
from ai_gateway.judge import publishing
from ai_gateway.judge.judging import INVALID, Case, Judging
from ai_gateway.judge.prompts import Prompt
from ai_gateway.manifest.model import Judge
from ai_gateway.records import to_rows

if TYPE_CHECKING:
    from ai_gateway.records.lease import Lease

log = logging.getLogger(__name__)

LEASE: Final = "judge-tick"
_TTL = 60.0  # seconds that the lease outlives a tick that died, where it is no lock of the system
_RENEW = _TTL / 3
_AWAY = 8  # calls in a row without a reply, or as many as run at once
_ANSWERED = (None, INVALID, UpstreamRefused.code)  # errors of a judge that is there
_COLUMNS = ("request_id", "received_at", "tenant", "served", "input", "output")


@dataclass(slots=True)
class Summary:
    """What a tick did; ``judged`` is the sum of ``scored``, ``failed`` and ``given_up``."""

    tick_id: str
    prompt: str
    prompt_digest: str
    judged: int = 0
    scored: int = 0
    failed: int = 0
    given_up: int = 0
    #: Answers whose privacy keeps them from the judge.
    skipped_private: int = 0
    #: Answers that a later tick will judge: not drawn, not reached, or failed and tried again.
    pending: int = 0
    #: True when another tick holds the lease, or took it over before this one ended.
    held: bool = False
    #: The publication that this tick made, if there was anything to publish.
    weights_id: str | None = None
    weights: Mapping[str, float] = field(default_factory=dict)


def run(context: Context) -> dict[str, Any]:
    """The Summary of one tick by ``context.manifest.judge``, as a mapping.

    Raises BadRequest without a judge; StoreUnavailable where the records cannot be read or moved.
    """
    judge = context.manifest.judge
    if judge is None:
        raise BadRequest("There is no judge: routes.yaml needs `judge:` with the name of a model.")
    prompt = _prompt(context, judge)
    summary = Summary(new_id(context.clock, context.random), prompt.name, prompt.digest)
    lease = context.records.lease(LEASE, f"tick {summary.tick_id}", _TTL)
    if lease is None:
        summary.held = True
    else:
        with lease:
            _tick(Judging(context, judge, prompt, summary.tick_id), lease, summary)
    found = asdict(summary)
    log.info("judge tick: %s", found)
    return found


def _prompt(context: Context, judge: Judge) -> Prompt:
    prompt = context.prompts.get(judge.prompt)
    if prompt is None:
        raise GatewayError(f"There is no judge prompt {judge.prompt!r} in judge_prompts/.")
    return prompt


def _tick(judging: Judging, lease: Lease, summary: Summary) -> None:
    context, judge = judging.context, judging.judge
    context.records.flush()
    found = context.records.unjudged(
        judge.prompt, context.clock.now() - judge.lookback, judge.batch, context.random, _COLUMNS
    )
    cases = (judging.case(row, found.probability) for row in _each(found.rows))
    rows = context.progress(_rows(judging, cases, lease), total=found.rows.num_rows)
    outcomes = Counter(row["outcome"] for row in rows)
    summary.judged = outcomes.total()
    summary.scored, summary.failed = outcomes["scored"], outcomes["failed"]
    summary.given_up = outcomes["given_up"]
    summary.skipped_private = found.forbidden
    summary.pending = found.due + found.waiting - summary.scored - summary.given_up
    if summary.judged < found.rows.num_rows:
        log.warning("the judge is away, or the lease is lost: the rest waits for another tick")
    summary.held = not lease.renew()
    if not summary.held:
        _publish(judging, summary)


def _each(table: Any) -> Iterator[dict[str, Any]]:
    """The rows one by one: the texts of a batch are held as Arrow, not as Python objects."""
    for place in range(table.num_rows):
        yield from to_rows(table.slice(place, 1))


def _rows(judging: Judging, cases: Iterator[Case], lease: Lease) -> Iterator[dict[str, Any]]:
    """Each case judged, ``concurrency`` at once, in the order in which they end.

    Hands out no more cases once the lease is lost, or once a row of calls got no reply at all: the
    judge is away then, and an outage must not use up every answer's attempts.
    """
    clock, width = judging.context.clock, judging.judge.concurrency
    renewed, unanswered = clock.monotonic(), 0
    pending: set[Future[dict[str, Any]]] = set()
    with ThreadPoolExecutor(width, "judge") as pool:
        while True:
            fresh = islice(cases, width - len(pending))
            pending |= {pool.submit(judging.judged, case) for case in fresh}
            if not pending:
                return
            done, pending = wait(pending, _RENEW, FIRST_COMPLETED)
            for row in [future.result() for future in done]:
                unanswered = 0 if row["error"] in _ANSWERED else unanswered + 1
                yield row
            if unanswered >= max(_AWAY, width):
                cases = iter(())
            if clock.monotonic() - renewed >= _RENEW:
                renewed = clock.monotonic()
                cases = cases if lease.renew() else iter(())


def _publish(judging: Judging, summary: Summary) -> None:
    context = judging.context
    context.records.flush()  # the scores are derived from what is stored, and from nothing else
    found = publishing.derive(context.records, context.manifest, judging.judge, context.clock.now())
    summary.weights = {model: score.score for model, score in found.items()}
    if summary.scored or not publishing.is_published(context.records, found):
        summary.weights_id = new_id(context.clock, context.random)
        rows = publishing.rows(found, summary.weights_id, summary.tick_id, context.clock.now())
        context.records.extend("weights", rows)
        context.records.flush()
        if context.webhooks is not None:
            context.webhooks.published(summary.weights_id, summary.weights)

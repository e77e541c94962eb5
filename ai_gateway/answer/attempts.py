"""One call to one upstream: by when it must be over, who may end it, and what is noted of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ai_gateway.answer.record import Attempt, Decision
from ai_gateway.clock import Clock
from ai_gateway.contract import Event
from ai_gateway.errors import GatewayError
from ai_gateway.telemetry.tracing import Called
from ai_gateway.upstream.cancel import NEVER, Cancel
from ai_gateway.upstream.errors import STATUS


@contextmanager
def attempted(
    decision: Decision, clock: Clock, where: str, called: Called, waited: float = 0.0
) -> Iterator[Attempt]:
    """Note one try at what is ``called`` (its endpoint ``where``) in ``decision``, however it ends.

    ``waited`` are the seconds that were spent on nothing but waiting for it.
    """
    started = clock.monotonic()
    attempt = Attempt(called.name, endpoint=where, waited_ms=waited * 1000, started=started)
    if decision.event.trace is not None:
        attempt.span = decision.event.trace.call(called, clock.now())
    try:
        yield attempt
    except GatewayError as error:
        attempt.error = error.code
        if said := error.headers.get(STATUS):  # no answer was handed on that could tell it
            attempt.status = int(said)
        raise
    finally:
        attempt.latency_ms = (clock.monotonic() - started) * 1000
        decision.attempts.append(attempt)


def deadline(event: Event, clock: Clock, whole: float) -> float:
    """When ``event`` must be answered: by the upstream's bound, and by its route's own."""
    of_upstream = clock.monotonic() + whole
    timeout = event.route.timeout
    return of_upstream if timeout is None else min(of_upstream, event.started + timeout)


def cancel(event: Event) -> Cancel:
    """What tells the upstream that the caller of ``event`` left."""
    return NEVER if event.cancel is None else event.cancel

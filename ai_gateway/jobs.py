"""One tick of a scheduled function: on CAI a Job runs one, an Application keeps ticking."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event as Flag

from ai_gateway import strictjson
from ai_gateway.contract import Caller, Event, Reply
from ai_gateway.errors import GatewayError
from ai_gateway.ids import new_id
from ai_gateway.manifest.functions import resolve
from ai_gateway.manifest.load import Bundle, load
from ai_gateway.manifest.model import Job, Route
from ai_gateway.service import Service, Snapshot

log = logging.getLogger(__name__)

DONE, FAILED, HELD = 0, 1, 75  # 75 is EX_TEMPFAIL of sysexits.h: come again
SCHEDULER = Caller(id="scheduler", scheme="job", admin=True)


def keep_ticking(
    service: Service,
    bundle: Bundle,
    job: Job,
    *,
    every: float | None,
    stop: Flag,
    show: Callable[[str], object],
) -> int:
    """Tick once, or until ``stop`` with ``every`` seconds between; the last tick's exit code.

    A bundle that changed takes force with the next tick; one that does not check leaves the old.
    """
    while True:
        service.weights.refresh()
        code, reply = tick(service, service.snapshot(bundle), job)
        show(strictjson.dumps(reply.body).decode() if reply else "failed")
        if every is None or stop.wait(every):
            return code
        changed, problems = load(service.settings, serving=False)
        for problem in problems:
            log.error("the bundle does not check, so the old one stays in force: %s", problem)
        bundle = changed or bundle


def tick(service: Service, snapshot: Snapshot, job: Job) -> tuple[int, Reply | None]:
    """One tick of ``job``: its exit code, and what it says it did."""
    event = Event(
        request_id=new_id(service.clock, service.random),
        route=Route(path=f"/{job.name}", name=job.name, privacy="none", guardrails=()),
        method="TICK",
        path=f"/{job.name}",
        received_at=service.clock.now(),
        started=service.clock.monotonic(),
        caller=SCHEDULER,
    )
    try:
        reply = resolve(job.function)(event, snapshot.context)
    except GatewayError as error:
        log.error("%s failed: %s", job.name, error.message)  # noqa: TRY400 - foreseen: no trace
        return FAILED, None
    except Exception:
        log.exception("%s failed", job.name)
        return FAILED, None
    held = isinstance(reply.body, dict) and reply.body.get("held")
    # On CAI a failed job mails its owner; that another tick runs is nothing to mail about.
    return (HELD if held and not service.settings.on_cai else DONE), reply

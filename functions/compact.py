"""Merges the small files of closed days, so that readers open few."""

from dataclasses import asdict

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.errors import Forbidden
from ai_gateway.openapi.operation import Operation

API = Operation()


def handle(event: Event, context: Context) -> Reply:
    """What was merged; ``held`` while another process does it. It is work, so not for everybody."""
    if event.method != "TICK" and not event.caller.admin:
        raise Forbidden("Only an administrator may start a compaction.")
    done = context.records.compact()
    return Reply({"held": done is None} | (asdict(done) if done else {}))

"""Deletes what is older than `retention` says, and carries on with erasures."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.control.anchors import Anchoring
from ai_gateway.errors import Forbidden
from ai_gateway.openapi.operation import Operation

API = Operation()


def handle(event: Event, context: Context) -> Reply:
    """What was deleted; ``held`` while another process prunes, compacts or erases."""
    if event.method != "TICK" and not event.caller.admin:
        raise Forbidden("Only an administrator may start a pruning.")
    retention = context.manifest.retention
    anchoring = Anchoring(context.records, context.audit, event)
    done = context.records.prune(retention.keeps() if retention else {}, may=anchoring.may)
    return Reply({"held": done is None} | (done.summary() if done else {}))

"""Erases all rows of a tenant, a key, a rater or single requests, and tells of it later."""

from ai_gateway.compliance import asked
from ai_gateway.compliance.erasure import Eraser, Erasure, erased
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.control.access import require
from ai_gateway.errors import StoreAway
from ai_gateway.records import StoreUnavailable


def handle(event: Event, context: Context) -> Reply:
    """POST erases: 200 with the report, 202 where the next pruning does it. GET asks after one."""
    asks = event.method == "GET"
    require(event, context, "compliance", "" if asks else "erasure.run")
    try:
        if asks:
            return Reply(erased(context.records, asked.query(event)))
        eraser = Eraser(
            context.records, context.caches, context.audit, context.clock, context.random
        )
        told = eraser.run(event.parse(Erasure), event)
    except StoreUnavailable:
        raise StoreAway("The records cannot be read or written now; try again.") from None
    return Reply(told, status=202 if told["state"] == "pending" else 200)

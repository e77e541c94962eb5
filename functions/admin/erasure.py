"""Erases all rows of a tenant, a key, a rater or single requests, and tells of it later."""

from ai_gateway.compliance import asked
from ai_gateway.compliance.erasure import Eraser, Erasure, Wanted, erased
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.control.access import require
from ai_gateway.errors import StoreAway
from ai_gateway.openapi import administration as shapes
from ai_gateway.openapi.operation import Operation
from ai_gateway.records import StoreUnavailable

API = {
    "GET": Operation(query=Wanted, reply=shapes.Erased, scope="compliance"),
    "POST": Operation(
        body=Erasure,
        reply=shapes.Erased,
        statuses=(200, 202),
        errors=(415,),
        scope="compliance",
        example={"rater": "ann", "dry_run": True},
    ),
}


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

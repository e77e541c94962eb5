"""Who changed what."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.control.access import require
from ai_gateway.control.log import Wanted, entries
from ai_gateway.openapi import administration as shapes
from ai_gateway.openapi.operation import Operation

API = Operation(query=Wanted, reply=shapes.AuditReply, scope="audit")


def handle(event: Event, context: Context) -> Reply:
    """The newest rows first, at most as many as ``limit`` says; the query filters."""
    require(event, context, "audit")
    return Reply({"entries": entries(event, context)})

"""The requests that were recorded, newest first, or what became readable since."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.control.access import require
from ai_gateway.control.requests import Wanted, listed
from ai_gateway.openapi import administration as shapes
from ai_gateway.openapi.operation import Operation

API = Operation(query=Wanted, reply=shapes.RequestList, scope="records")


def handle(event: Event, context: Context) -> Reply:
    """No texts; a page's ``cursor`` asks for what comes behind it."""
    require(event, context, "records", "requests.list")
    return Reply(listed(event, context))

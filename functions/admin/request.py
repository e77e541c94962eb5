"""One recorded request, explained: all that its record holds, and what was said of the answer."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.control.access import require
from ai_gateway.control.requests import explained
from ai_gateway.openapi import administration as shapes
from ai_gateway.openapi.operation import Operation

API = Operation(reply=shapes.Explained, errors=(404,), scope="records")


def handle(event: Event, context: Context) -> Reply:
    """With its texts, as far as the route's ``privacy`` let them be recorded."""
    require(event, context, "records", "requests.explain")
    return Reply(explained(event, context), headers={"cache-control": "no-store"})

"""What this process has counted, as JSON, by what one wants to know."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.control.access import require
from ai_gateway.control.figures import asked, figures
from ai_gateway.openapi import administration as shapes
from ai_gateway.openapi.operation import Operation

API = Operation(
    query=shapes.FiguresQuery, reply=shapes.FiguresReply, errors=(404,), scope="metrics"
)


def handle(event: Event, context: Context) -> Reply:
    """``type`` and ``endpoint`` of the query narrow it down."""
    require(event, context, "metrics")
    kind, endpoint = asked(event, context.manifest)
    return Reply(figures(context, kind, endpoint))

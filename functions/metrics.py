"""What the process has counted, for Prometheus."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.control.access import require
from ai_gateway.metrics import CONTENT_TYPE
from ai_gateway.openapi.operation import Operation

API = Operation(gives=("text/plain",))


def handle(event: Event, context: Context) -> Reply:
    """The counts of this process, the record writer's among them.

    They name every model, so whose credential names its own needs the scope as well.
    """
    if event.caller.models is not None:
        require(event, context, "metrics")
    context.metrics.gauge(context.records.status(), context.keys.status())
    return Reply(context.metrics.expose(), headers={"content-type": CONTENT_TYPE})

"""What the process has counted, for Prometheus."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.metrics import CONTENT_TYPE


def handle(_event: Event, context: Context) -> Reply:
    """The counts of this process, the record writer's among them."""
    context.metrics.gauge(context.records.status(), context.keys.status())
    return Reply(context.metrics.expose(), headers={"content-type": CONTENT_TYPE})

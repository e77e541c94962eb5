"""One tick of the judge: on a schedule, or when an administrator asks for it."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.errors import Forbidden
from ai_gateway.judge import tick
from ai_gateway.openapi.operation import Operation

API = Operation()


def handle(event: Event, context: Context) -> Reply:
    """Judge what is due, and say what was done; judging costs money, so not everybody may ask."""
    if event.method != "TICK" and not event.caller.admin:
        raise Forbidden("Only an administrator may start a judge tick.")
    return Reply(tick.run(context))

"""What the keys of who is signed in came to, and what is left of his limits and budgets."""

from ai_gateway.access import asked
from ai_gateway.access.managing import UNKEPT
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi.operation import Operation
from ai_gateway.portal import use
from ai_gateway.portal.own import OwnKeys

API = Operation(query=use.Asked)


def handle(event: Event, context: Context) -> Reply:
    """Requests, tokens and cost by day and by key, of the last ``days`` with today."""
    own = OwnKeys.of(event, context)
    wanted = asked.query(event, use.Asked)
    return Reply(use.told(own, context, wanted.days), headers=UNKEPT)

"""Who is signed in, and what his keys may be."""

from ai_gateway.access.managing import UNKEPT
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi.operation import Operation
from ai_gateway.portal import person

API = Operation()


def handle(event: Event, context: Context) -> Reply:
    """With the CSRF token, which whatever changes something must carry."""
    return Reply(person.told(event, context), headers=UNKEPT)

"""Ends a session."""

from ai_gateway.access import asked
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi.operation import Operation
from ai_gateway.portal.portal import signing

API = Operation(optional=True, errors=(415,))


def handle(event: Event, context: Context) -> Reply:
    """It is over at once, whoever has a copy of its cookie."""
    asked.say_json(event)
    _, sessions = signing(context)
    cookie = sessions.end(event.headers)
    context.audit.note(event, "portal.sign-out", "portal")
    return Reply({"signed_in": False}, headers=cookie)

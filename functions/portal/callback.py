"""Takes a browser back from the issuer: whoever it is of is signed in."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi.operation import Operation
from ai_gateway.portal import leaving

API = Operation(gives=(), statuses=(303,))


def handle(event: Event, context: Context) -> Reply:
    """A redirection to the page, always; with a new session, or why there is none."""
    return leaving.back(event, context)

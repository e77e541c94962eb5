"""The portal's page."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi.operation import Operation
from ai_gateway.portal.portal import PAGE

API = Operation(gives=("text/html",))


def handle(event: Event, context: Context) -> Reply:  # noqa: ARG001 - the same for everybody
    """The same for everybody: who is signed in, its script asks for."""
    return PAGE.reply()

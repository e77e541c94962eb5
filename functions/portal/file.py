"""A file of the portal's page."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi.operation import Operation
from ai_gateway.portal.portal import PAGE

API = Operation(gives=("text/css", "text/javascript"), errors=(404,))


def handle(event: Event, context: Context) -> Reply:  # noqa: ARG001 - the same for everybody
    """One of the files that the page names; 404 for any other."""
    return PAGE.reply(event.path_parameters["file"])

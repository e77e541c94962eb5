"""A page that shows what is served, and sends requests to it."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi import explorer
from ai_gateway.openapi.operation import Operation

API = Operation(
    gives=("text/html", "text/css", "text/javascript"), statuses=(200, 308), errors=(404,)
)


def handle(event: Event, _context: Context) -> Reply:
    """The page, or one of its files; the same for everybody, it tells nothing of the bundle."""
    if event.path.endswith("/"):  # below which its own addresses, which are relative, lead nowhere
        return explorer.without_slash(event.path)
    return explorer.PAGE.reply(event.path_parameters.get("file"))

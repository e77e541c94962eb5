"""The Open Inference Protocol's question whether the server runs."""

from typing_extensions import TypedDict

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi.operation import Operation


class Live(TypedDict):
    """That the server runs."""

    live: bool


API = Operation(reply=Live)


def handle(_event: Event, _context: Context) -> Reply:
    """A process that can say so does."""
    return Reply({"live": True})

"""Is the process alive? A restart is the answer to a no."""

from typing_extensions import TypedDict

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi.operation import Operation


class Health(TypedDict):
    """That the process lives."""

    status: str


API = Operation(reply=Health)


def handle(_event: Event, _context: Context) -> Reply:
    """A process that can say so is."""
    return Reply({"status": "ok"})

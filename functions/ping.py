"""Is the gateway there? The first thing that a client of the original gateway asks."""

from typing_extensions import TypedDict

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi.operation import Operation


class Pong(TypedDict):
    """Yes."""

    ok: bool


API = Operation(reply=Pong)


def handle(_event: Event, _context: Context) -> Reply:
    """Always yes."""
    return Reply({"ok": True})

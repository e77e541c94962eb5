"""The Open Inference Protocol's question whether requests can be served."""

from typing_extensions import TypedDict

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi.operation import Operation


class Ready(TypedDict):
    """That requests can be served."""

    ready: bool


API = Operation(reply=Ready)


def handle(_event: Event, _context: Context) -> Reply:
    """They can, whatever the models do; how the bundle and the store are is told by /readyz."""
    return Reply({"ready": True})

"""The Open Inference Protocol's question what the server is."""

from typing_extensions import TypedDict

from ai_gateway import __version__
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi.operation import Operation


class Server(TypedDict):
    """The server, and what it does beyond the protocol."""

    name: str
    version: str
    extensions: list[str]


API = Operation(reply=Server)


def handle(_event: Event, _context: Context) -> Reply:
    """The name, the version, and no extension."""
    return Reply({"name": "ai-gateway", "version": __version__, "extensions": []})

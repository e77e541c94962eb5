"""The Open Inference Protocol's question what the server is."""

from ai_gateway import __version__
from ai_gateway.contract import Context, Event, Reply


def handle(_event: Event, _context: Context) -> Reply:
    """The name, the version, and no extension."""
    return Reply({"name": "ai-gateway", "version": __version__, "extensions": []})

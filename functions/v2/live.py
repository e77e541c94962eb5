"""The Open Inference Protocol's question whether the server runs."""

from ai_gateway.contract import Context, Event, Reply


def handle(_event: Event, _context: Context) -> Reply:
    """A process that can say so does."""
    return Reply({"live": True})

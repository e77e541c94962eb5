"""The Open Inference Protocol's question whether requests can be served."""

from ai_gateway.contract import Context, Event, Reply


def handle(_event: Event, _context: Context) -> Reply:
    """They can, whatever the models do; how the bundle and the store are is told by /readyz."""
    return Reply({"ready": True})

"""Is the process alive? A restart is the answer to a no."""

from ai_gateway.contract import Context, Event, Reply


def handle(_event: Event, _context: Context) -> Reply:
    """A process that can say so is."""
    return Reply({"status": "ok"})

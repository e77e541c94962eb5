"""Is the gateway there? The first thing that a client of the original gateway asks."""

from ai_gateway.contract import Context, Event, Reply


def handle(_event: Event, _context: Context) -> Reply:
    """Always yes."""
    return Reply({"ok": True})

"""What Cloudera AI polls to see that the application lives, and where a person lands."""

from ai_gateway import __version__
from ai_gateway.contract import Context, Event, Reply


def handle(_event: Event, _context: Context) -> Reply:
    """Who answers here; nothing of the bundle, since nobody has to sign in for it."""
    return Reply({"service": "ai-gateway", "version": __version__})

"""What Cloudera AI polls to see that the application lives, and where a person lands."""

from typing_extensions import TypedDict

from ai_gateway import __version__
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi.operation import Operation


class Service(TypedDict):
    """Who answers here."""

    service: str
    version: str


API = Operation(reply=Service)


def handle(_event: Event, _context: Context) -> Reply:
    """Who answers here; nothing of the bundle, since nobody has to sign in for it."""
    return Reply({"service": "ai-gateway", "version": __version__})

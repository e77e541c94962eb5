"""The bundle on disk, put in force now."""

from typing_extensions import TypedDict

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.control.access import require
from ai_gateway.control.control import etag
from ai_gateway.openapi.operation import Operation


class Reloaded(TypedDict):
    """That the bundle on disk is in force."""

    reloaded: bool


API = Operation(reply=Reloaded, errors=(409, 415), scope="reload")


def handle(event: Event, context: Context) -> Reply:
    """Done when it answers, in this process; one that does not check is told, and not in force."""
    require(event, context, "reload", "bundle.reload")
    digest = context.control.reload(event)
    return Reply({"reloaded": True}, headers={"etag": etag(digest)})

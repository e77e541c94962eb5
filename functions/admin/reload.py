"""The bundle on disk, put in force now."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.control.access import require
from ai_gateway.control.control import etag


def handle(event: Event, context: Context) -> Reply:
    """Done when it answers, in this process; one that does not check is told, and not in force."""
    require(event, context, "reload", "bundle.reload")
    digest = context.control.reload(event)
    return Reply({"reloaded": True}, headers={"etag": etag(digest)})

"""One route of the bundle: as the file has it, or taken out of it."""

from functools import partial

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.control.access import attempt, require
from ai_gateway.control.changes import remove_route
from ai_gateway.control.control import etag
from ai_gateway.control.showing import shown_route


def handle(event: Event, context: Context) -> Reply:
    """GET shows it; DELETE removes it, and needs If-Match."""
    name = event.path_parameters["name"]
    if event.method == "GET":
        require(event, context, "routes")
        return shown_route(context, name)
    with attempt(event, context, "routes", "route.delete"):
        edit = partial(remove_route, name=name)
    _, digest = context.control.change(event, "route.delete", name, edit, version=lambda _: True)
    return Reply(b"", 204, {"etag": etag(digest)})

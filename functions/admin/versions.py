"""The versions of a bundle that several replicas share."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.control.access import attempt, require
from ai_gateway.control.bodies import Restored
from ai_gateway.control.changes import restore
from ai_gateway.control.control import etag
from ai_gateway.openapi import administration as shapes
from ai_gateway.openapi.operation import CHANGE, Operation

API = {
    "GET": Operation(reply=shapes.VersionsReply, errors=(409,), scope="admin"),
    "POST": Operation(
        body=Restored,
        reply=shapes.VersionsReply,
        errors=CHANGE,
        versioned=True,
        scope="admin",
        example={"number": 0},
    ),
}


def handle(event: Event, context: Context) -> Reply:
    """GET lists them; POST puts an older one in force, as a new one. Takes the scope ``admin``."""
    if event.method == "GET":
        require(event, context, "admin")
        numbers, current = context.control.versions.numbers()
        return Reply({"versions": numbers, "current": current})
    with attempt(event, context, "admin", "bundle.restore"):
        number = event.parse(Restored).number
    _, digest = context.control.change(
        event,
        "bundle.restore",
        str(number),
        lambda files: restore(files, context.control.versions.version(number), number),
    )
    return Reply({"restored": number}, headers={"etag": etag(digest)})

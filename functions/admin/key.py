"""One issued key, by its id."""

from ai_gateway.access.managing import Manager
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi import administration as shapes
from ai_gateway.openapi.operation import Operation

API = Operation(reply=shapes.ShownKey, errors=(404,), scope="keys")


def handle(event: Event, context: Context) -> Reply:
    """What it is and may; neither its text nor the hash of it."""
    manager = Manager.of(event, context)
    return Reply(manager.shown(manager.find(event.path_parameters["id"])))

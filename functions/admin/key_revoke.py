"""The end of an issued key, and of all that hangs on it."""

from ai_gateway.access import asked
from ai_gateway.access.managing import Manager
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi import administration as shapes
from ai_gateway.openapi.operation import Operation

API = Operation(reply=shapes.ShownKey, errors=(404, 415), scope="keys")


def handle(event: Event, context: Context) -> Reply:
    """It as it is now; to end one again changes nothing."""
    asked.say_json(event)
    manager = Manager.of(event, context)
    return Reply(manager.shown(manager.revoke(manager.find(event.path_parameters["id"]))))

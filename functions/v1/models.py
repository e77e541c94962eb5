"""What a client may name as its model."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi.operation import Operation
from ai_gateway.openapi.replies import ModelList
from ai_gateway.surfaces import models

API = Operation(reply=ModelList)


def handle(event: Event, context: Context) -> Reply:
    """All of it, in OpenAI's shape."""
    found = [models.entry(name) for name in models.names(event, context)]
    return Reply({"object": "list", "data": found})

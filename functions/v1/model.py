"""Whether a client may name a certain model."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.errors import UnknownModel
from ai_gateway.openapi.operation import Operation
from ai_gateway.openapi.replies import ModelEntry
from ai_gateway.surfaces import models

API = Operation(reply=ModelEntry, errors=(404,))


def handle(event: Event, context: Context) -> Reply:
    """Its entry in the list, in OpenAI's shape."""
    name = event.path_parameters["name"]
    if name not in models.names(event, context):
        raise UnknownModel(f"There is no model {name[:64]!r}; GET /v1/models lists those that are.")
    return Reply(models.entry(name))

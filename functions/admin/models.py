"""The models of the bundle, as far as they may be shown."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.control.access import require
from ai_gateway.control.showing import shown_models
from ai_gateway.openapi import administration as shapes
from ai_gateway.openapi.operation import Operation

API = Operation(reply=shapes.ModelsShown, errors=(409,), scope="models")


def handle(event: Event, context: Context) -> Reply:
    """As the file has them: a variable by its name, credentials masked."""
    require(event, context, "models")
    return shown_models(context)

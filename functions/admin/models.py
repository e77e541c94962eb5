"""The models of the bundle, as far as they may be shown."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.control.access import require
from ai_gateway.control.showing import shown_models


def handle(event: Event, context: Context) -> Reply:
    """As the file has them: a variable by its name, credentials masked."""
    require(event, context, "models")
    return shown_models(context)

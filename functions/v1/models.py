"""What a client may name as its model."""

from ai_gateway.access.identity import permits
from ai_gateway.contract import Context, Event, Reply


def handle(event: Event, context: Context) -> Reply:
    """``auto``, every model but the judge's, and the routes that choose one, in OpenAI's shape."""
    manifest = context.manifest
    judge = manifest.judge.model if manifest.judge else None
    models = [name for name in manifest.models if name != judge]
    routes = [route.name for route in manifest.nameables() if permits(route, event.caller)]
    return Reply(
        {
            "object": "list",
            "data": [
                {"id": name, "object": "model", "created": 0, "owned_by": "ai-gateway"}
                for name in ("auto", *models, *routes)
            ],
        }
    )

"""What a client may name as its model."""

from ai_gateway.contract import Context, Event, Reply


def handle(_event: Event, context: Context) -> Reply:
    """``auto`` and every model that routing may choose, in OpenAI's shape."""
    manifest = context.manifest
    judge = manifest.judge.model if manifest.judge else None
    names = ["auto", *(name for name in manifest.models if name != judge)]
    return Reply(
        {
            "object": "list",
            "data": [
                {"id": name, "object": "model", "created": 0, "owned_by": "ai-gateway"}
                for name in names
            ],
        }
    )

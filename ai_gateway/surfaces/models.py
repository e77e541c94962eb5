"""What a client may name as its model, in OpenAI's shape."""

from __future__ import annotations

from typing import Any

from ai_gateway.access.allowed import may_ask
from ai_gateway.access.identity import permits
from ai_gateway.contract import Context, Event


def names(event: Event, context: Context) -> list[str]:
    """``auto``, the models that the caller may ask, and the routes that he may call."""
    manifest = context.manifest
    judge = manifest.judge.model if manifest.judge else None
    models = (name for name in manifest.models if name != judge and may_ask(name, event.caller))
    routes = (route.name for route in manifest.nameables() if permits(route, event.caller))
    return ["auto", *models, *routes]


def entry(name: str) -> dict[str, Any]:
    """One of them; when a model was made, the gateway does not know."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "ai-gateway"}

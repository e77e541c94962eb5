"""The ways to say who calls, as OpenAPI's security schemes, and which of them a route takes."""

from __future__ import annotations

from typing import Any, Final

from ai_gateway.manifest.model import Route

_KEY: Final[tuple[dict[str, list[str]], ...]] = ({"key": []}, {"api-key": []}, {"bearer-key": []})
_OF: Final[dict[str, tuple[dict[str, list[str]], ...]]] = {
    "none": ({},),
    "api-key": _KEY,
    "jwt": ({"token": []},),
    "platform": ({"platform": []},),
    "session": ({"session": []},),
}
SCHEMES: Final[dict[str, dict[str, Any]]] = {
    "key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "An issued key, or the administrator's, which may call every route.",
    },
    "api-key": {
        "type": "apiKey",
        "in": "header",
        "name": "api-key",
        "description": "The same, as Azure's SDKs send it.",
    },
    "bearer-key": {
        "type": "http",
        "scheme": "bearer",
        "description": "The same, as OpenAI's SDKs send it.",
    },
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of an issuer that the bundle names.",
    },
    "platform": {
        "type": "apiKey",
        "in": "header",
        "name": "REMOTE-USER",
        "description": "The user who is signed in to Cloudera AI. Its proxy sets this header; "
        "from anybody else it counts for nothing.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-gateway-session",
        "description": "Somebody who signed in at /portal, with his browser.",
    },
}


def security(route: Route) -> list[dict[str, list[str]]]:
    """Any of these is enough; a route without ``auth`` takes the administrator's key alone."""
    return [each for scheme in route.auth or ("api-key",) for each in _OF[scheme]]

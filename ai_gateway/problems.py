"""An error in the shape that the caller's own SDK reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ai_gateway.errors import GatewayError

_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    529: "overloaded_error",
    504: "timeout_error",
}


def openai(error: GatewayError) -> dict[str, Any]:
    """All four keys are required there; ``code`` is a string."""
    return {"error": error.details()}


def anthropic(error: GatewayError) -> dict[str, Any]:
    """The type is one of Anthropic's own."""
    fallback = "api_error" if error.status >= 500 else "invalid_request_error"  # noqa: PLR2004 - HTTP
    kind = _ANTHROPIC_TYPES.get(error.status, fallback)
    return {"type": "error", "error": {"type": kind, "message": error.message}}


def oip(error: GatewayError) -> dict[str, Any]:
    """The Open Inference Protocol has a text and nothing else."""
    return {"error": error.message}


SHAPES: dict[str, Callable[[GatewayError], dict[str, Any]]] = {
    "openai": openai,
    "anthropic": anthropic,
    "oip": oip,
}


def ids(request_id: str, shape: str) -> list[tuple[str, str]]:
    """The headers that tell the request's id, where the SDKs of a shape look for it."""
    found = [("x-request-id", request_id)]
    return [*found, ("request-id", request_id)] if shape == "anthropic" else found

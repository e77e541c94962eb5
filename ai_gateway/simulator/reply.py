"""What goes back over the wire, and the error bodies of the servers on the way."""

from __future__ import annotations

import http.client
from dataclasses import dataclass, field
from typing import Any

import orjson

_TYPES = {
    400: "BadRequestError",
    401: "AuthenticationError",
    404: "NotFoundError",
    429: "RateLimitError",
    500: "InternalServerError",
    503: "ServiceUnavailableError",
}
#: What a proxy on the way says in plain text: Istio, and Knative's activator and queue-proxy.
_TEXTS = {
    401: "Jwt is missing",
    403: "RBAC: access denied",
    502: "upstream connect error or disconnect/reset before headers",
    503: "context deadline exceeded",
    504: "activator request timeout",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """A status, a body in the pieces that it is sent in, and whether it is a stream of events."""

    status: int
    pieces: tuple[bytes, ...]
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    streamed: bool = False


def json(body: Any, status: int = 200) -> Reply:
    """``body`` as JSON."""
    return Reply(status, (orjson.dumps(body),))


def plain(status: int, message: str | None = None) -> Reply:
    """Plain text, as a proxy answers that never reached the model server."""
    message = message or _TEXTS.get(status) or phrase(status)
    return Reply(status, (message.encode(errors="replace"),), "text/plain; charset=utf-8")


def error(status: int, message: str, *, flat: bool = False) -> Reply:
    """An error of the model server: nested as vLLM from 0.10.1 on, or flat as NIM 1 and before."""
    body = error_body(status, message)
    return json({"object": "error", **body} if flat else {"error": body}, status)


def error_body(status: int, message: str) -> dict[str, object]:
    """The four fields of vLLM; its code is the status as an integer."""
    kind = _TYPES.get(status) or phrase(status).replace(" ", "") + "Error"
    return {"message": message, "type": kind, "param": None, "code": status}


def event(body: Any) -> bytes:
    """One server-sent event."""
    return b"data: " + orjson.dumps(body) + b"\n\n"


def phrase(status: int) -> str:
    """The standard's words for ``status``."""
    return http.client.responses.get(status, "Unknown")

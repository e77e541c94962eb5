"""What goes back over the wire, and the error bodies of the servers on the way."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

DONE = b"data: [DONE]\n\n"

_TYPES = {
    400: "BadRequestError",
    401: "AuthenticationError",
    404: "NotFoundError",
    429: "RateLimitError",
    500: "InternalServerError",
    503: "ServiceUnavailableError",
}
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
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


@dataclass(frozen=True, slots=True)
class Dialect:
    """How an API says that something failed: as a body, and as an event of a stream."""

    body: Callable[[int, str], dict[str, Any]]
    late: Callable[[int, str], bytes]
    request_id: str = "x-request-id"

    def error(self, status: int, message: str) -> Reply:
        """The failure as a reply."""
        return json(self.body(status, message), status)


def json(body: Any, status: int = 200) -> Reply:
    """``body`` as JSON."""
    return Reply(status, (orjson.dumps(body),))


def stream(events: tuple[bytes, ...]) -> Reply:
    """Server-sent events."""
    return Reply(200, events, "text/event-stream; charset=utf-8", streamed=True)


def plain(status: int, message: str | None = None) -> Reply:
    """Plain text, as a proxy answers that never reached the model server."""
    message = message or _TEXTS.get(status) or phrase(status)
    return Reply(status, (message.encode(errors="replace"),), "text/plain; charset=utf-8")


def event(body: Any) -> bytes:
    """One server-sent event."""
    return b"data: " + orjson.dumps(body) + b"\n\n"


def named(body: dict[str, Any]) -> bytes:
    """One server-sent event with the name that its ``type`` gives."""
    return b"event: %b\n%b" % (body["type"].encode(), event(body))


def phrase(status: int) -> str:
    """The standard's words for ``status``."""
    return http.client.responses.get(status, "Unknown")


def _fields(status: int, message: str) -> dict[str, Any]:
    kind = _TYPES.get(status) or phrase(status).replace(" ", "") + "Error"
    return {"message": message, "type": kind, "param": None, "code": status}


def _nested(status: int, message: str) -> dict[str, Any]:
    return {"error": _fields(status, message)}


def _flat(status: int, message: str) -> dict[str, Any]:
    return {"object": "error", **_fields(status, message)}


def _anthropic(status: int, message: str) -> dict[str, Any]:
    kind = _ANTHROPIC_TYPES.get(status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": message}}


def _responses_late(status: int, message: str) -> bytes:
    code = _TYPES.get(status, "server_error")
    return named(
        {"type": "error", "code": code, "message": message, "param": None, "sequence_number": 0}
    )


#: vLLM from 0.10.1 on, whose code is the status as an integer.
OPENAI = Dialect(_nested, lambda status, message: event(_nested(status, message)))
#: NIM 1 and older vLLM.
FLAT = Dialect(_flat, lambda status, message: event(_flat(status, message)))
RESPONSES = Dialect(_nested, _responses_late)
ANTHROPIC = Dialect(
    _anthropic, lambda status, message: named(_anthropic(status, message)), "request-id"
)
OIP = Dialect(lambda _, message: {"error": message}, lambda _, message: event({"error": message}))

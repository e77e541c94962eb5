"""What the server refuses before the application is called, and how it says so."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from ai_gateway.errors import BadRequest, GatewayError
from ai_gateway.hosting.head import Head, status_line
from ai_gateway.hosting.safety import Safety
from ai_gateway.problems import SHAPES, ids


class HeadersTooLarge(BadRequest):
    """The request's head is larger than the gateway reads."""

    status = 431
    code = "headers_too_large"


class Overloaded(GatewayError):
    """Every thread is busy and the queue is full."""

    status = 503
    code = "overloaded"

    def __init__(self) -> None:
        super().__init__(
            "The gateway has as many requests in flight as it takes; try again.",
            headers={"retry-after": "1"},
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """One request that never reached the application; empty where its head could not be read."""

    error: GatewayError
    method: str = ""
    path: str = ""
    client: str = ""
    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    #: The name of the shape that its caller reads.
    shape: str = "openai"

    @classmethod
    def of(
        cls, error: GatewayError, scope: Mapping[str, Any], shape: Callable[[str], str]
    ) -> Refusal:
        """The refusal of what an ASGI scope, which may be empty, says was asked."""
        client = scope.get("client") or ("", 0)
        path = scope.get("path", "")
        return cls(error, scope.get("method", ""), path, client[0], shape=shape(path))

    def body(self) -> bytes:
        """The error in its caller's shape."""
        return orjson.dumps(SHAPES[self.shape](self.error))

    def head(self, body: bytes, safety: Safety) -> Head:
        """The response's head; the rest of the request is not read, so the connection ends."""
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            *ids(self.request_id, self.shape),
            ("connection", "close"),
            *self.error.headers.items(),
        ]
        return Head.of(self.error.status, headers, safety)

    def wire(self, safety: Safety) -> bytes:
        """The whole response, for a request that could not be parsed."""
        body = self.body()
        head = self.head(body, safety)
        return b"".join([status_line(head.status), head.lines, b"\r\n", body])

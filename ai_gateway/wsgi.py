"""WSGI (PEP 3333) on the way in and out: a request as an Event, a Response as its chunks.

A path without parameters is found in a dictionary. What Flask does for any request, a context, a
routing by pattern, objects for headers, request and response, costs as much as all that the
gateway itself does for one; so it is asked for the other paths only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from ai_gateway.contract import Event, Handler
from ai_gateway.dispatch import Response, dispatch
from ai_gateway.ids import new_id
from ai_gateway.manifest.model import Route
from ai_gateway.preflights import Preflights

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from ai_gateway.service import Snapshot

#: What a body without a type of its own is sent as.
_BYTES = {"content-type": "application/octet-stream"}
#: Statuses without a body, so without its length (RFC 9110, 8.6).
_BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route, the function behind it, and the bundle that both are of."""

    route: Route
    handler: Handler
    snapshot: Snapshot

    def answer(self, environ: WSGIEnvironment, path_parameters: Mapping[str, str]) -> Response:
        """The response to one request; never raises."""
        context = self.snapshot.context
        event = Event(
            request_id=new_id(context.clock, context.random),
            route=self.route,
            method=environ["REQUEST_METHOD"],
            path=_path(environ["PATH_INFO"]),
            received_at=context.clock.now(),
            started=environ.get("gateway.received") or context.clock.monotonic(),
            path_parameters=path_parameters,
            query=environ.get("QUERY_STRING", ""),
            headers=_headers(environ),
            body=_body(environ),
            cancel=environ.get("gateway.disconnected"),
        )
        response = dispatch(event, self.handler, self.snapshot)
        if self.route.cors is not None:
            origin = environ.get("HTTP_ORIGIN")
            headers = self.route.cors.signed(response.headers, origin, event.method)
            response = response._replace(headers=headers)
        environ["gateway.heartbeat"] = response.heartbeat
        return response


class FixedPaths:
    """A WSGI application: the endpoints whose path has no parameters, before all ``others``."""

    def __init__(self, endpoints: Sequence[Endpoint], others: WSGIApplication) -> None:
        self._endpoints = {
            (method, endpoint.route.path): endpoint
            for endpoint in reversed(endpoints)  # of two for one path the first, as in Flask
            if "{" not in endpoint.route.path
            for method in endpoint.route.methods
        }
        self._others = others
        self._preflights = Preflights(endpoints)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        method, path, response = environ["REQUEST_METHOD"], environ["PATH_INFO"], None
        if method == "OPTIONS":
            response = self._preflights.answer(environ, _path(path))
        if response is None:
            endpoint = self._endpoints.get((method, path))
            if endpoint is None:
                return self._others(environ, start_response)
            response = endpoint.answer(environ, {})
        start_response(_status(response.status), headers(response))
        return [response.body] if isinstance(response.body, bytes) else response.body


def rule(path: str) -> str:
    """A route's path as Flask writes it; ``{name:path}`` at its end is all below, slashes too."""
    path = re.sub(r"\{(\w+):path\}", r"<rest:\1>", path)
    return path.replace("{", "<").replace("}", ">")


def headers(response: Response) -> list[tuple[str, str]]:
    """A response's headers, with the length where it is known."""
    found = [*{**_BYTES, **response.headers}.items()]
    if isinstance(response.body, bytes) and response.status not in _BODILESS:
        found.append(("content-length", str(len(response.body))))
    return found


@lru_cache(maxsize=1000)
def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Unknown"


def _path(latin: str) -> str:
    """A path is a row of bytes, handed on as Latin-1; it is read as UTF-8."""
    return latin if latin.isascii() else latin.encode("latin-1").decode("utf-8", "replace")


def _headers(environ: WSGIEnvironment) -> dict[str, str]:
    return {name: environ[key] for key in environ if (name := _header(key))}


@lru_cache(maxsize=1000)
def _header(key: str) -> str:
    """The header that a variable holds, in lower case; empty for another variable."""
    name = key.removeprefix("HTTP_")
    if (name == key) is not (name in ("CONTENT_TYPE", "CONTENT_LENGTH")):
        return ""
    return name.lower().replace("_", "-")


def _body(environ: WSGIEnvironment) -> bytes:
    """All of the body; a server that does not end it at its end says how long it is."""
    length = -1 if environ.get("wsgi.input_terminated") else environ.get("CONTENT_LENGTH")
    body: bytes = environ["wsgi.input"].read(int(length or 0))
    return body

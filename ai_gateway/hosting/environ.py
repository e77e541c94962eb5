"""A WSGI environ (PEP 3333) from an ASGI scope and the whole body."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

_CONSTANTS: dict[str, Any] = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}
#: The body is here, whole: how it was framed on the wire is no longer true of it.
_FRAMING = {"HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", "HTTP_TRAILER", "HTTP_EXPECT"}


def build(scope: Mapping[str, Any], body: bytes, received: float) -> dict[str, Any]:
    """The environ of one request; ``received`` is the monotonic time of its last byte."""
    client, server = scope["client"] or ("", 0), scope["server"] or ("", 0)
    environ = {
        **_CONSTANTS,
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.errors": sys.stderr,
        "wsgi.input": io.BytesIO(body),
        "gateway.received": received,
        "gateway.disconnected": scope["gateway.arrival"],
    }
    _add_headers(environ, scope["headers"])
    if body:
        environ["CONTENT_LENGTH"] = str(len(body))
    return environ


def _add_headers(environ: dict[str, Any], headers: list[tuple[bytes, bytes]]) -> None:
    for name, value in headers:
        key = _variable(name)
        if key is None:
            continue
        text = value.decode("latin-1")
        if key in environ:
            text = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ', '}{text}"
        environ[key] = text


@lru_cache(maxsize=1024)
def _variable(name: bytes) -> str | None:
    """The variable of a header; none for ``remote_user``, which would pass for ``remote-user``."""
    if b"_" in name:
        return None
    key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
    if key == "HTTP_CONTENT_TYPE":
        return "CONTENT_TYPE"
    return None if key in _FRAMING else key

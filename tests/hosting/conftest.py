"""A server on a real socket, in a thread of the test's process, and a caller that speaks bytes."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from ai_gateway.hosting import Refusal, Server, ServerOptions


@dataclass
class Running:
    """A server that answers."""

    server: Server
    port: int
    refused: queue.Queue[Refusal]
    exits: queue.Queue[int] = field(default_factory=queue.Queue)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def ask(self, request: bytes) -> Answer:
        """Send bytes, read one answer."""
        with self.connect() as caller:
            caller.sendall(request)
            return read(caller)

    def get(self, path: str, *headers: str) -> Answer:
        return self.ask(head("GET", path, *headers))

    def post(self, path: str, body: bytes, *headers: str) -> Answer:
        return self.ask(head("POST", path, f"Content-Length: {len(body)}", *headers) + body)


@dataclass
class Answer:
    """One HTTP answer as it stood on the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The code in the one error shape."""
        error = json.loads(self.body)["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return str(error["code"])


def head(method: str, path: str, *headers: str) -> bytes:
    """A request's head."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode("latin-1")


def read(caller: socket.socket, *, bodiless: bool = False) -> Answer:
    """The next answer on a connection; the body by its length, its chunks or the end."""
    stream = caller.makefile("rb")
    with stream:
        status = int(stream.readline().split()[1])
        headers: dict[str, str] = {}
        while line := stream.readline().strip():
            name, _, value = line.decode("latin-1").partition(": ")
            headers[name] = value
        if bodiless:
            return Answer(status, headers, b"")
        return Answer(status, headers, _body(stream, headers))


def _body(stream: Any, headers: dict[str, str]) -> bytes:
    if "content-length" in headers:
        return bytes(stream.read(int(headers["content-length"])))
    body = b""
    while headers.get("transfer-encoding") == "chunked" and (size := int(stream.readline(), 16)):
        body += stream.read(size)
        stream.readline()
    return body


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether ``condition`` came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


@contextlib.contextmanager
def running(app: Any, *, ready: Callable[[str], object] = str, **options: Any) -> Iterator[Running]:
    """Serve ``app`` for as long as the block lasts."""
    urls: queue.Queue[str] = queue.Queue()

    def answers(url: str) -> None:
        ready(url)
        urls.put(url)

    refused: queue.Queue[Refusal] = queue.Queue()
    server = Server(app, ServerOptions(port=0, **options), ready=answers, on_refused=refused.put)
    exits: queue.Queue[int] = queue.Queue()
    thread = threading.Thread(target=lambda: exits.put(server.serve_forever()))
    thread.start()
    try:
        yield Running(server, int(urls.get(timeout=10).rsplit(":", 1)[1]), refused, exits)
    finally:
        if thread.is_alive():
            server.stop()
        thread.join(timeout=20)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def echo() -> Iterator[Running]:
    """A server whose application says what it was asked."""
    with running(
        _echo,
        max_body=lambda _path: 1000,
        body_seconds=0.5,
        header_seconds=0.5,
        max_header_bytes=4096,
        max_headers=20,
        keep_alive_seconds=1,
    ) as server:
        yield server


@pytest.fixture(scope="module")
def noisy() -> Iterator[Running]:
    """A server whose refusals nobody looks at."""
    with running(_echo, max_body=lambda _path: 1000) as server:
        yield server


def _echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    body = environ["wsgi.input"].read()
    said = {name: value for name, value in environ.items() if isinstance(value, str)}
    said["body"] = body.decode("latin-1")
    said["received"] = environ["gateway.received"]
    answer = json.dumps(said).encode()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]

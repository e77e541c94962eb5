"""A stand-in upstream on real sockets, which answers with exactly the bytes that a test scripts."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

#: What to do with one request: send these bytes, or take over the socket.
#: After bytes the connection stays open; after a callable it is closed if that returns False.
Step = bytes | Callable[[socket.socket, "Received"], bool | None]


@dataclass(frozen=True)
class Received:
    """One request as it came; header names are lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int

    def json(self) -> Any:
        return json.loads(self.body)


def completion(text: str | None = "hello", **message: Any) -> dict[str, Any]:
    """A chat completion in vLLM's shape."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "served",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, **message},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }


def spoken(found: Any) -> str:
    """What a Reply with such a completion says."""
    return str(found.body["choices"][0]["message"]["content"])


def reply(
    body: Any = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    content_type: str = "application/json",
) -> bytes:
    """An HTTP response with its length; a body that is not bytes or text is sent as JSON."""
    if isinstance(body, str):
        body = body.encode()
    data = body if isinstance(body, bytes) else json.dumps(body or completion()).encode()
    fields = {"content-type": content_type, "content-length": str(len(data)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Some Reason\r\n{head}\r\n".encode("latin-1") + data


class FakeUpstream:
    """Answers a chat completion to everything, unless a step of ``script`` is left.

    ``connections`` counts those that were made; ``open`` those that nobody has closed yet.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self.open: set[int] = set()
        self._script: deque[Step] = deque()
        self.always: Step = reply()
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._closing = threading.Event()
        self._sockets: dict[int, socket.socket] = {}
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._start(self._accept)

    @property
    def url(self) -> str:
        """The base URL, as a manifest has it."""
        return f"{self.origin}/v1"

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        scheme = "https" if self._context else "http"
        host = "localhost" if self._context else "127.0.0.1"
        return f"{scheme}://{host}:{self.port}"

    def script(self, *steps: Step) -> None:
        """What the next requests get, in this order."""
        self._script.extend(steps)

    def drop_idle(self) -> None:
        """Close every connection from this side."""
        for connection in list(self._sockets.values()):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop; every thread and socket ends."""
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_idle()
        for thread in self._threads:
            thread.join(5)

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            number = self.connections
            self.open.add(number)
        try:
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            self._sockets[number] = connection
            with connection.makefile("rb") as reader:
                while (received := read(reader, number)) and self._answer(connection, received):
                    pass
        except (OSError, ValueError):
            pass
        finally:
            self._sockets.pop(number, None)
            connection.close()
            self.open.discard(number)

    def _answer(self, connection: socket.socket, received: Received) -> bool:
        with self._lock:
            self.requests.append(received)
            step = self._script.popleft() if self._script else self.always
        if isinstance(step, bytes):
            connection.sendall(step)
            return True
        return step(connection, received) is not False


def read(reader: Any, number: int) -> Received | None:
    """One request, or None at the end of the connection."""
    line = reader.readline().decode("latin-1").split()
    if len(line) < 2:
        return None
    headers = {}
    while (field := reader.readline().decode("latin-1").strip()) != "":
        name, _, value = field.partition(":")
        headers[name.strip().lower()] = value.strip()
    body = reader.read(int(headers.get("content-length", 0)))
    return Received(line[0], line[1], headers, body, number)


def then_close(data: bytes) -> Step:
    """Send ``data``, then close: a cut where the answer is not whole."""

    def step(connection: socket.socket, _received: Received) -> bool:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_RDWR)
        return False

    return step


def drip(data: bytes, every: float, closing: threading.Event) -> Step:
    """Send ``data`` one byte at a time."""

    def step(connection: socket.socket, _received: Received) -> bool:
        for byte in data:
            connection.sendall(bytes([byte]))
            if closing.wait(every):
                break
        return False

    return step


def hang(closing: threading.Event) -> Step:
    """Say nothing until the test is over."""

    def step(_connection: socket.socket, _received: Received) -> bool:
        closing.wait(10)
        return False

    return step


def head(content_type: str = "text/event-stream", **headers: str) -> bytes:
    """The head of a chunked answer."""
    fields = {"content-type": content_type, "transfer-encoding": "chunked"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode("latin-1")


def chunk(data: bytes) -> bytes:
    """``data`` as one chunk; nothing is the last one."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(value: Any, name: str | None = None) -> bytes:
    """One event, its data as JSON unless it is text."""
    data = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return (f"event: {name}\n" if name else "").encode() + f"data: {data}\n\n".encode()


def delta(text: str) -> dict[str, Any]:
    """A chunk of a streamed chat completion."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return {"object": "chat.completion.chunk", "choices": [choice]}


DONE = b"data: [DONE]\n\n"


def streamed(*pieces: bytes, **headers: str) -> bytes:
    """A whole chunked answer, each piece a chunk."""
    return head(**headers) + b"".join(map(chunk, pieces)) + chunk(b"")


def gated(pieces: Sequence[bytes], gate: threading.Semaphore) -> Step:
    """Send a piece each time that ``gate`` lets one through."""

    def step(connection: socket.socket, _received: Received) -> bool:
        for piece in pieces:
            if not gate.acquire(timeout=10):
                return False
            connection.sendall(piece)
        return True

    return step


def paced(pieces: Sequence[bytes], every: float, closing: threading.Event) -> Step:
    """Send one piece after another; leave the connection open."""

    def step(connection: socket.socket, _received: Received) -> bool:
        for piece in pieces:
            connection.sendall(piece)
            if closing.wait(every):
                return False
        return True

    return step

"""HTTP/1.1 over sockets: keep-alive, limits, waiting, dripping and cutting, and a clean end."""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any, cast

from ai_gateway.simulator import faults, reply
from ai_gateway.simulator.entrances import Request
from ai_gateway.simulator.faults import Cut, Fault
from ai_gateway.simulator.reply import Reply

MAX_BODY = 16_000_000  # bytes
_IDLE = 120.0  # seconds that a connection may be silent
_GRACE = 5.0  # seconds that connections have to end after they were shut

_UTF8_LEAD = 0xC0  # and above: the first byte of a character that has several
_LENGTH = re.compile(r"[0-9]{1,12}")

#: A request → its reply, what befalls it on the wire, and whom a caller's leaving is told.
Exchange = Callable[[Request], tuple[Reply, Fault, "str | None"]]


class Server(socketserver.ThreadingTCPServer):
    """A thread a connection; it knows its open connections, so that it can end them."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(
        self, address: tuple[str, int], exchange: Exchange, left: Callable[[str | None], None]
    ) -> None:
        self.exchange = exchange
        self.left = left
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__(address, _Handler)
        self.socket_address = cast("tuple[str, int]", self.server_address)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Note the connection, then serve it in a thread."""
        with self._changed:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close the connection, then forget it."""
        super().shutdown_request(request)
        with self._changed:
            self._connections.discard(request)
            self._changed.notify_all()

    def close(self) -> None:
        """Stop listening, end every connection and wait for their threads; again is harmless."""
        self.stopping.set()
        self.server_close()
        with self._changed:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._connections, _GRACE)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "simulator"
    sys_version = ""
    disable_nagle_algorithm = True
    timeout = _IDLE

    def handle(self) -> None:
        """Answer the connection's requests until one side ends it."""
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        """Answer one request."""
        body = self._body()
        if body is None:
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, body)
        answer, fault, name = self.server.exchange(request)
        try:
            self._send(answer, fault)
        except ConnectionError:
            self.close_connection = True
            if not self.server.stopping.is_set():
                self.server.left(name)

    def do_POST(self) -> None:
        """Answer one request with a body."""
        self.do_GET()

    def log_message(self, *_: object, **__: object) -> None:
        """Say nothing; what was asked stands in ``Simulator.requests``."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What is refused before it is read, in our own form; the connection ends with it."""
        self.close_connection = True
        self._send(reply.plain(code, explain or message), faults.NONE)

    def _body(self) -> bytes | None:
        """The request's body; None when it was refused, or ended before its length."""
        length = self.headers.get("content-length", "0")
        if "transfer-encoding" in self.headers:
            self.send_error(411, "A Content-Length is needed.")
        elif not _LENGTH.fullmatch(length):
            self.send_error(400, "The Content-Length is no number of bytes.")
        elif int(length) > MAX_BODY:
            self.send_error(413, f"The body is larger than {MAX_BODY} bytes.")
        elif len(body := self.rfile.read(int(length))) == int(length):
            return body
        self.close_connection = True
        return None

    def _send(self, answer: Reply, fault: Fault) -> None:
        self._wait(fault.latency + fault.hang)
        if fault.hang:
            self.close_connection = True
            return
        chunked = answer.streamed and self.request_version == "HTTP/1.1"
        if answer.streamed and not chunked:
            self.close_connection = True
        unsent = self._head(answer, chunked=chunked)
        if fault.cut:
            self.close_connection = True  # unannounced, else some clients take it for the end
        if fault.slow_first_byte:
            self.wfile.write(unsent)
            unsent = b""
            self._wait(fault.slow_first_byte)
        for piece in _pieces(answer.pieces, fault):
            self.wfile.write(unsent + (b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece))
            unsent = b""
            self._wait(fault.drip or fault.chunk_delay)
        if chunked and not fault.cut:
            unsent += b"0\r\n\r\n"
        self.wfile.write(unsent)

    def _head(self, answer: Reply, *, chunked: bool) -> bytes:
        length = sum(map(len, answer.pieces))
        headers = {
            "server": self.server_version,
            "date": self.date_time_string(),
            "content-type": answer.content_type,
            "x-gateway-simulated": "true",
            **answer.headers,
        }
        if chunked:
            headers["transfer-encoding"] = "chunked"
        elif not answer.streamed:
            headers["content-length"] = str(length)
        if self.close_connection:
            headers["connection"] = "close"
        lines = [f"HTTP/1.1 {answer.status} {reply.phrase(answer.status)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1", errors="replace")

    def _wait(self, seconds: float) -> None:
        """Let ``seconds`` pass; ConnectionAbortedError as soon as the caller leaves, or we stop."""
        if seconds <= 0:
            return
        self.connection.settimeout(seconds)
        try:
            if not self.connection.recv(1, socket.MSG_PEEK):
                raise ConnectionAbortedError
            self.server.stopping.wait(seconds)  # the next request is here already: keep it waiting
        except TimeoutError:
            pass
        finally:
            self.connection.settimeout(_IDLE)


def _pieces(pieces: tuple[bytes, ...], fault: Fault) -> list[bytes]:
    """The body as it is sent: cut off, and a byte at a time when it drips."""
    whole = b"".join(pieces)
    end = _end(whole, fault.cut)
    kept = []
    for piece in pieces:
        kept.append(piece[:end])
        end = max(0, end - len(piece))
    if fault.drip:
        kept = [bytes([byte]) for byte in b"".join(kept)]
    return [piece for piece in kept if piece]


def _end(whole: bytes, cut: Cut | None) -> int:
    if cut == "after-headers":
        return 0
    if cut == "mid-body":
        return len(whole) // 2
    if cut == "mid-utf8":
        leads = [position for position, byte in enumerate(whole) if byte >= _UTF8_LEAD]
        return leads[-1] + 1 if leads else len(whole) // 2
    return len(whole)

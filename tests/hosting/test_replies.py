"""What comes back, how streams flow, and who notices that nobody listens.

One file: every case is one reply of the same server, from its head to its end.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.hosting.conftest import Running, head, read, running, wait_until

PIECE = b"x" * 65_536


class App:
    """One application with a path for each way to answer."""

    def __init__(self) -> None:
        self.produced = 0
        self.closed = threading.Event()
        self.left = threading.Event()
        self.entered = threading.Semaphore(0)
        self.release = threading.Event()

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        answer = getattr(self, environ["PATH_INFO"].strip("/"))
        return answer(environ, start)

    def ping(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    def empty(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [("Content-Length", "0")])
        return []

    def nothing(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        start("204 No Content", [])
        return [b"dropped"]

    def unchanged(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        start("304 Not Modified", [("ETag", "1")])
        return []

    def written(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        write = start("200 OK", [])
        write(b"a")
        return [b"", b"b"]

    def late(self, environ: dict[str, Any], start: Any) -> Iterator[bytes]:
        start("200 OK", [])
        yield b"late"

    def changed(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [])
        start("500 Oh", [], (ValueError, ValueError("x"), None))
        return [b"changed"]

    def twice(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [])
        start("200 OK", [])
        return []

    def reraises(self, environ: dict[str, Any], start: Any) -> Iterator[bytes]:
        start("200 OK", [])
        yield b"sent"
        start("500 Oh", [], (ValueError, ValueError("late"), None))

    def silent(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        return []

    def split(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [("X-A", "1\r\nX-B: 2")])
        return [b"x"]

    def fails(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        raise ValueError("secret")

    def breaks(self, environ: dict[str, Any], start: Any) -> Iterator[bytes]:
        start("200 OK", [])
        yield b"begun"
        time.sleep(0.05)
        raise ValueError("secret")

    def events(self, environ: dict[str, Any], start: Any) -> Iterator[bytes]:
        start("200 OK", [("Content-Type", "text/event-stream")])
        for number in range(3):
            yield b"event %d\n" % number
            self.entered.release()
            self.release.wait(5)

    def endless(self, environ: dict[str, Any], start: Any) -> Iterator[bytes]:
        start("200 OK", [])
        try:
            while True:
                self.produced += 1
                yield PIECE
        finally:
            self.closed.set()

    def big(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        body = bytes(32_000_000)
        start("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    def waits(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        environ["gateway.disconnected"].add_callback(self.left.set)
        self.entered.release()
        self.left.wait(10)
        start("200 OK", [])
        assert environ["gateway.disconnected"].is_set()
        environ["gateway.disconnected"].add_callback(self.closed.set)
        return [b"nobody reads this"]

    def sleeps(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        self.entered.release()
        self.release.wait(10)
        start("200 OK", [("Content-Length", "4")])
        return [b"done"]


@pytest.fixture(scope="module")
def plain() -> Iterator[Running]:
    """A server for answers that leave nothing behind."""
    with running(App()) as server:
        yield server


def test_keep_alive(plain: Running) -> None:
    """One connection serves many requests, with and without a body."""
    caller = http.client.HTTPConnection("127.0.0.1", plain.port, timeout=5)
    with contextlib.closing(caller):
        for path, expected in [("/ping", b"ok"), ("/empty", b""), ("/late", b"late")] * 2:
            caller.request("GET", path)
            assert caller.getresponse().read() == expected
            caller.request("HEAD", path)
            assert caller.getresponse().read() == b""


@pytest.mark.parametrize(("path", "status"), [("/nothing", 204), ("/unchanged", 304)])
def test_bodiless_statuses(plain: Running, path: str, status: int) -> None:
    """204 and 304 carry no body and no framing, and the connection lives on."""
    with plain.connect() as caller:
        for _ in range(2):
            caller.sendall(head("GET", path))
            answer = read(caller, bodiless=True)
            assert answer.status == status
            assert "transfer-encoding" not in answer.headers


def test_write_and_empty_chunks(plain: Running) -> None:
    """PEP 3333's ``write`` comes before the iterable, and an empty chunk ends nothing."""
    assert plain.get("/written").body == b"ab"


def test_status_may_change_before_it_is_sent(plain: Running) -> None:
    """With ``exc_info`` an application may change its mind until the first chunk."""
    answer = plain.get("/changed")
    assert (answer.status, answer.body) == (500, b"changed")


@pytest.mark.parametrize("path", ["/fails", "/silent", "/twice"])
def test_failing_application(plain: Running, path: str, caplog: pytest.LogCaptureFixture) -> None:
    """A failure is a 500 in the one shape that names only the request, and one line in the log."""
    answer = plain.get(path)
    assert (answer.status, answer.code) == (500, "internal_error")
    assert answer.headers["x-request-id"] in json.loads(answer.body)["error"]["message"]
    assert b"secret" not in answer.body
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


@pytest.mark.parametrize("path", ["/breaks", "/reraises"])
def test_broken_stream_never_looks_whole(
    plain: Running, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A stream that fails half way is cut, so that its reader sees that it is not whole."""
    caller = http.client.HTTPConnection("127.0.0.1", plain.port, timeout=5)
    with contextlib.closing(caller):
        caller.request("GET", path)
        with pytest.raises(http.client.IncompleteRead):
            caller.getresponse().read()
    assert len(caplog.records) == 1


def test_header_with_a_line_break_is_not_sent(plain: Running) -> None:
    """A header value cannot smuggle in another header."""
    answer = plain.get("/split")
    assert answer.status == 500
    assert "x-b" not in answer.headers


@pytest.mark.parametrize("path", ["/ping", "/late"])
def test_http_1_0(plain: Running, path: str) -> None:
    """An HTTP/1.0 caller gets a length, no chunks, and the connection's end."""
    with plain.connect() as caller:
        caller.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = read(caller)
        assert answer.headers["content-length"] == str(len(answer.body))
        assert "transfer-encoding" not in answer.headers
        assert caller.recv(1) == b""


def test_http_1_0_reply_is_bounded() -> None:
    """A reply without an end is not kept for an HTTP/1.0 caller."""
    app = App()
    with running(app) as server:
        assert server.ask(b"GET /endless HTTP/1.0\r\n\r\n").status == 500
        assert app.closed.wait(5)


def test_chunks_come_as_they_are_made() -> None:
    """Each chunk of a stream reaches the caller before the next one is made."""
    app = App()
    with running(app) as server, server.connect() as caller:
        caller.sendall(head("GET", "/events"))
        with caller.makefile("rb") as stream:
            while stream.readline().strip():
                pass
            assert stream.readline() == b"8\r\n"
            assert stream.readline() == b"event 0\n"
            app.release.set()
            rest = b"".join(iter(stream.readline, b"0\r\n"))
            assert (b"event 1\n" in rest, b"event 2\n" in rest) == (True, True)


def test_a_stream_keeps_its_connection() -> None:
    """A stream is chunked and never said to be the connection's last: Node's fetch trips on it."""
    app = App()
    app.release.set()
    with running(app) as server, server.connect() as caller:
        for _ in range(2):
            caller.sendall(head("GET", "/events"))
            answer = read(caller)
            assert answer.headers["transfer-encoding"] == "chunked"
            assert "connection" not in answer.headers
            assert answer.body.endswith(b"event 2\n")


def test_leaving_closes_a_stream_at_once() -> None:
    """When the caller of a stream leaves, its generator is closed within moments."""
    app = App()
    with running(app) as server:
        with server.connect() as caller:
            caller.sendall(head("GET", "/endless"))
            caller.recv(1000)
        started = time.monotonic()
        assert app.closed.wait(2)
        assert time.monotonic() - started < 0.5


def test_leaving_is_told_to_a_waiting_handler() -> None:
    """A handler that waits on something else is told at once that its caller has left."""
    app = App()
    with running(app) as server:
        with server.connect() as caller:
            caller.sendall(head("GET", "/waits"))
            assert app.entered.acquire(timeout=2)
        started = time.monotonic()
        assert app.left.wait(2)
        assert time.monotonic() - started < 0.1
        assert app.closed.wait(2)  # a callback that comes late is called too


def test_slow_reader_is_not_buffered_for() -> None:
    """A caller who reads nothing holds a bounded number of bytes, and may read on later."""
    app = App()
    with running(app) as server, server.connect() as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        caller.sendall(head("GET", "/endless"))
        time.sleep(0.3)
        stalled = app.produced
        time.sleep(0.2)
        assert app.produced == stalled
        assert stalled * len(PIECE) < 16_000_000
        for _ in range(500):
            caller.recv(len(PIECE))
        assert app.produced > stalled


def test_garbage_does_not_hurt_the_answer_under_way() -> None:
    """What comes after garbage is thrown away; the answer under way is finished."""
    app = App()
    with running(app) as server, server.connect() as caller:
        caller.sendall(head("GET", "/sleeps") + b"\x00\r\n\r\n")
        assert app.entered.acquire(timeout=2)
        caller.sendall(b"more")
        time.sleep(0.05)
        app.release.set()
        assert read(caller).body == b"done"
        assert caller.recv(1) == b""


def test_slow_but_steady_reader_is_waited_for() -> None:
    """A caller who reads a little at a time keeps its stream beyond the stall time."""
    app = App()
    with running(app, stall_seconds=0.5) as server, server.connect() as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        caller.sendall(head("GET", "/endless"))
        for _ in range(150):
            assert caller.recv(262_144)
            time.sleep(0.01)
        assert not app.closed.is_set()


def test_big_reply_to_a_slow_reader() -> None:
    """One big reply is read to its end, however often the stall time passes meanwhile."""
    app = App()
    with running(app, stall_seconds=0.3) as server, server.connect() as caller:
        caller.sendall(head("GET", "/big"))
        size = 0
        while size < 32_000_000:
            piece = caller.recv(262_144)
            assert piece
            size += len(piece)
            time.sleep(0.005)


def test_stalled_reader_is_given_up() -> None:
    """A caller who reads nothing for too long loses its stream, which frees the thread."""
    app = App()
    with running(app, stall_seconds=0.3) as server, server.connect() as caller:
        caller.sendall(head("GET", "/endless"))
        assert app.closed.wait(5)


def test_full_house_is_503_and_ping_still_answers() -> None:
    """With all threads busy and the queue full: 503 with Retry-After; light paths are answered."""
    app = App()
    with running(app, threads=2, queued=2) as server, contextlib.ExitStack() as stack:
        callers = [stack.enter_context(server.connect()) for _ in range(4)]
        for caller in callers:
            caller.sendall(head("GET", "/sleeps"))
        assert app.entered.acquire(timeout=2)
        assert app.entered.acquire(timeout=2)
        assert wait_until(lambda: server.get("/sleeps").status == 503)
        answer = server.get("/sleeps")
        assert (answer.code, answer.headers["retry-after"]) == ("overloaded", "1")
        assert server.refused.get(timeout=2).error.status == 503
        assert server.get("/ping").body == b"ok"
        app.release.set()
        assert [read(caller).body for caller in callers] == [b"done"] * 4


def test_who_leaves_the_queue_is_not_served() -> None:
    """A caller who left while its request waited for a thread costs no handler."""
    app = App()
    with running(app, threads=1) as server, server.connect() as first:
        first.sendall(head("GET", "/sleeps"))
        assert app.entered.acquire(timeout=2)
        with server.connect() as second:
            second.sendall(head("GET", "/sleeps"))
            time.sleep(0.05)
        time.sleep(0.05)
        app.release.set()
        assert read(first).body == b"done"
        assert not app.entered.acquire(timeout=0.2)


def test_ping_under_slow_bodies() -> None:
    """/ping answers within 100 ms while 200 callers send a byte a second; those get a 408.

    Of 40 pings the median counts: the machine may have other work, and a host that waits for
    bodies would be late with each.
    """
    app = App()
    with running(app, body_seconds=2.5) as server, contextlib.ExitStack() as stack:
        callers = [stack.enter_context(server.connect()) for _ in range(200)]
        for caller in callers:
            caller.sendall(head("POST", "/sleeps", "Content-Length: 1000"))
        took = []
        for _ in range(2):
            for caller in callers:
                caller.sendall(b"x")
            for _ in range(20):
                started = time.monotonic()
                assert server.get("/ping").body == b"ok"
                took.append(time.monotonic() - started)
                time.sleep(0.04)
        assert statistics.median(took) < 0.1
        answers = [read(caller) for caller in callers]
        assert {(answer.status, answer.code) for answer in answers} == {(408, "body_timeout")}
        assert not app.entered.acquire(timeout=0)


def test_a_thousand_wait_at_once() -> None:
    """A thousand requests that wait are a thousand waiting threads, and all are answered."""
    app = App()
    with running(app) as server, contextlib.ExitStack() as stack:
        callers = [stack.enter_context(server.connect()) for _ in range(1000)]
        for caller in callers:
            caller.sendall(head("GET", "/sleeps"))
        for _ in callers:
            assert app.entered.acquire(timeout=10)
        started = time.monotonic()
        assert server.get("/ping").body == b"ok"
        assert time.monotonic() - started < 0.1
        app.release.set()
        assert {read(caller).status for caller in callers} == {200}

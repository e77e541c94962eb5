"""What goes wrong, on whichever side, ends one connection, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import contextvars
import gc
import queue
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from tests.hosting.conftest import Running, head, read, running
from tests.hosting.test_tls import issue, trusting


def everything(caller: socket.socket) -> bytes:
    """All that comes until the connection ends, which it must."""
    with caller.makefile("rb") as stream:
        return stream.read()


def ok(_environ: dict[str, Any], start: Any) -> list[bytes]:
    """Answer anything."""
    start("200 OK", [("Content-Length", "2")])
    return [b"ok"]


def test_a_stop_waits_for_the_handler_of_a_caller_who_left() -> None:
    """It may have a record to write, which would be lost with its thread."""
    entered, recorded = threading.Event(), threading.Event()

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        left = threading.Event()
        environ["gateway.disconnected"].add_callback(left.set)
        entered.set()
        left.wait(5)
        time.sleep(0.6)
        recorded.set()
        return ok(environ, start)

    with running(app) as server:
        with server.connect() as caller:
            caller.sendall(head("GET", "/"))
            assert entered.wait(2)
        time.sleep(0.1)
        server.server.stop()
        assert server.exits.get(timeout=5) == 0
        assert recorded.is_set()


def _most(path: str) -> int:
    if path == "/bad":
        raise KeyError(path)
    return 1000


@pytest.mark.parametrize("before", [b"", head("GET", "/good")], ids=["first", "behind another"])
def test_a_fault_before_the_application_is_a_500(
    before: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """One line in the log, an answer, and the end of this connection alone."""
    with running(ok, max_body=_most) as server:
        with server.connect() as caller:
            caller.sendall(before + head("GET", "/bad"))
            said = everything(caller)
        assert said.count(b"HTTP/1.1 200 OK") == bool(before)
        assert said.count(b"HTTP/1.1 500 ") == 1
        assert server.get("/good").status == 200
    assert [record.message for record in caplog.records] == ["A request could not be served."]


def test_a_fault_in_what_remains_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    """What is done later, for a request that is not whole or is refused, is watched too."""

    def shape(path: str) -> str:
        raise KeyError(path)

    with running(ok, max_body=_most, shape=shape) as server, server.connect() as caller:
        caller.sendall(head("POST", "/", "Content-Length: 1001"))
        assert everything(caller).startswith(b"HTTP/1.1 500 ")
    assert [record.message for record in caplog.records] == ["A request could not be served."]


def test_a_request_is_refused_once() -> None:
    """A head that is wrong and a body that is no chunk, in one packet: one answer, one record."""
    with running(ok) as server, server.connect() as caller:
        caller.sendall(head("POST", "/", "Host: y", "Transfer-Encoding: chunked") + b"zz\r\n")
        assert everything(caller).count(b"HTTP/1.1 ") == 1
        server.refused.get(timeout=2)
        with pytest.raises(queue.Empty):
            server.refused.get(timeout=0.1)


def _begins(environ: dict[str, Any], start: Any) -> Iterator[bytes]:
    """Begin a stream, or nothing, and go on when the caller has left."""
    left = threading.Event()
    environ["gateway.disconnected"].add_callback(left.set)
    start("200 OK", [])
    if environ["PATH_INFO"] == "/stream":
        yield b"begun"
    left.wait(5)
    yield b"late"


def test_who_has_no_answer_by_the_end_of_the_grace_is_told() -> None:
    """A 500; a stream is cut; and no handler waits for a server that has gone."""
    with running(_begins, grace_seconds=0.2) as server:
        with server.connect() as waits, server.connect() as streams:
            waits.sendall(head("GET", "/"))
            streams.sendall(head("GET", "/stream"))
            time.sleep(0.2)
            server.server.stop()
            assert everything(waits).startswith(b"HTTP/1.1 500 ")
            assert everything(streams).endswith(b"begun\r\n")
        assert server.exits.get(timeout=5) == 0


def test_a_failure_after_the_last_byte_is_seen() -> None:
    """All that the head declares would look whole: the record of it may have failed."""

    def app(_environ: object, start: Any) -> Iterator[bytes]:
        start("200 OK", [("Content-Length", "4")])
        yield b"full"
        raise ValueError

    with running(app) as server, server.connect() as caller:
        caller.sendall(head("GET", "/"))
        assert not everything(caller).endswith(b"full")


@pytest.mark.parametrize("pieces", [["text"], [b"a", "text"], [b"a", "b", b"c"]])
@pytest.mark.parametrize("headers", [[], [("Content-Length", "5")]], ids=["chunked", "declared"])
def test_a_piece_that_is_not_bytes_ends_the_reply(pieces: list[Any], headers: list[Any]) -> None:
    """Where it was given, so that the event loop never meets it."""

    def app(_environ: object, start: Any) -> list[Any]:
        start("200 OK", headers)
        return pieces

    with running(app) as server, server.connect() as caller:
        caller.sendall(head("GET", "/"))
        said = everything(caller)
    assert said.startswith(b"HTTP/1.1 500 ") == (pieces == ["text"])
    assert not said.endswith(b"0\r\n\r\n")


def _repeats(environ: dict[str, Any], start: Any) -> list[bytes]:
    name, *values = environ["QUERY_STRING"].split(",")
    start("200 OK", [(name, value) for value in values])
    return [b"ok"]


def test_a_reply_with_two_lengths_is_refused() -> None:
    """Two readers could end it at two places."""
    with running(_repeats) as server:
        assert server.get("/?content-length,5,2").status == 500


def test_a_reply_closes_whichever_header_says_so() -> None:
    """Of several ``Connection`` headers each counts."""
    with running(_repeats) as server, server.connect() as caller:
        caller.sendall(head("GET", "/?connection,close,x"))
        assert everything(caller).endswith(b"ok\r\n0\r\n\r\n")


def _left(server: Running, round_: Any) -> int:
    """What only the collector can free after a round, once what is made once is made."""
    for _ in range(2):
        gc.collect()
        gc.disable()
        try:
            round_()
            time.sleep(0.3)
            while not server.refused.empty():  # they hold what they refuse
                server.refused.get()
            left = gc.collect()
        finally:
            gc.enable()
    return left


def test_who_leaves_early_leaves_nothing_for_the_collector() -> None:
    """Neither the connection nor what was to be sent on it."""

    def app(_environ: object, start: Any) -> Iterator[bytes]:
        start("200 OK", [])
        while True:
            yield b"x"
            time.sleep(0.005)

    def leave() -> None:
        for _ in range(100):
            with server.connect() as caller:
                caller.sendall(head("GET", "/"))
                caller.recv(1)

    with running(app) as server:
        assert _left(server, leave) < 200


def test_a_full_house_leaves_nothing_for_the_collector() -> None:
    """There is least time for it when requests are refused because there are too many."""
    release = threading.Event()

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        release.wait(10)
        return ok(environ, start)

    def refuse() -> None:
        assert {server.get("/").status for _ in range(100)} == {503}

    with running(app, threads=1, queued=0) as server, server.connect() as first:
        first.sendall(head("GET", "/"))
        time.sleep(0.1)
        left = _left(server, refuse)
        release.set()
        assert read(first).status == 200
    assert left < 200


class _Kept:
    """What a handler notes in a context variable."""


_NOTED: contextvars.ContextVar[_Kept | None] = contextvars.ContextVar("noted", default=None)


def test_an_idle_connection_keeps_nothing_of_the_last_request() -> None:
    """Its timer runs in a context of the event loop's, not in that of the handler's thread."""
    noted: list[weakref.ref[_Kept]] = []

    def app(_environ: object, start: Any) -> Iterator[bytes]:
        _NOTED.set(kept := _Kept())
        noted.append(weakref.ref(kept))
        del kept
        start("200 OK", [])
        yield b"x"
        _NOTED.set(None)

    with running(app) as server, server.connect() as caller:
        for _ in range(20):
            caller.sendall(head("GET", "/"))
            read(caller)
        time.sleep(0.1)
        assert [found() for found in noted] == [None] * 20


def _records(wire: bytes) -> int:
    """The TLS records in ``wire``."""
    count = 0
    while wire:
        wire = wire[5 + int.from_bytes(wire[3:5], "big") :]
        count += 1
    return count


def test_a_short_reply_is_one_record_of_tls(tmp_path: Any) -> None:
    """Each record is encrypted and authenticated by itself; a caller reads them one by one."""
    authority = trustme.CA()
    come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
    older = trusting(authority, maximum_version=ssl.TLSVersion.TLSv1_2)  # 1.3 sends tickets as well
    tls = older.wrap_bio(come, go, server_hostname="localhost")
    with running(ok, tls=issue(authority, tmp_path)) as server, server.connect() as caller:
        for act in (tls.do_handshake, lambda: tls.read(1)):
            while True:
                try:
                    act()
                    break
                except ssl.SSLWantReadError:
                    caller.sendall(go.read())
                    come.write(wire := caller.recv(65_536))
            if act == tls.do_handshake:
                tls.write(head("GET", "/"))
    assert _records(wire) == 1


def test_http_1_0_gets_no_length_of_a_body_that_cannot_be() -> None:
    """A 204 never says a length, and that of a 304 would be another reply's (RFC 9110, 8.6)."""

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        start(environ["QUERY_STRING"], [])
        return []

    with running(app) as server:
        for status in ("204", "304"):
            with server.connect() as caller:
                caller.sendall(f"GET /?{status} HTTP/1.0\r\n\r\n".encode())
                assert b"content-length" not in everything(caller)


def test_a_path_without_a_body_refuses_chunks() -> None:
    """Also those that come after the head, which would pass for the next request."""
    with running(ok, max_body=lambda _path: 0) as server, server.connect() as caller:
        caller.sendall(head("POST", "/", "Transfer-Encoding: chunked"))
        time.sleep(0.05)
        caller.sendall(b"5\r\nGET /\r\n0\r\n\r\n")
        assert read(caller).status == 413


def answered(stream: Any) -> dict[str, str]:
    """The headers of the next answer, which has no body and is a success."""
    assert stream.readline().split()[1] == b"200"
    lines = iter(stream.readline, b"\r\n")
    return dict(line.decode().strip().split(": ", 1) for line in lines)


H2C = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQ")
FRAMED = {"Content-Length: 3": b"abc", "Transfer-Encoding: chunked": b"3\r\nabc\r\n0\r\n\r\n"}


@pytest.mark.parametrize("framing", FRAMED)
@pytest.mark.parametrize("at_once", [True, False])
def test_who_offers_an_upgrade_is_answered_with_his_body(framing: str, *, at_once: bool) -> None:
    """Java's client offers HTTP/2 with each request; what follows it is no second request."""
    asked: list[tuple[str, bytes]] = []

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        asked.append((environ["PATH_INFO"], environ["wsgi.input"].read()))
        assert "HTTP_UPGRADE" not in environ
        start("200 OK", [("Content-Length", "0")])
        return []

    with running(app) as server, server.connect() as caller:
        pieces = [head("GET", "/first"), head("POST", "/", framing, *H2C), FRAMED[framing]]
        for piece in [b"".join(pieces)] if at_once else pieces:
            caller.sendall(piece)
            time.sleep(0.05)
        with caller.makefile("rb") as stream:
            answers = [answered(stream) for _ in range(2)]
        caller.sendall(head("GET", "/second"))
        with contextlib.suppress(ConnectionError):
            assert caller.recv(1) == b""
    assert [answer.get("connection") for answer in answers] == [None, "close"]
    assert asked == [("/first", b""), ("/", b"abc")]


def test_requests_that_all_offer_an_upgrade_cost_no_more_than_others() -> None:
    """The first ends the connection, however many came with it."""
    with running(ok) as server, server.connect() as caller:
        caller.sendall(head("GET", "/", *H2C) * 200)
        assert everything(caller).count(b"HTTP/1.1 200") == 1
        assert server.get("/").status == 200


def test_too_large_in_chunks_that_come_at_once() -> None:
    """A body that was never waited for has the same bound."""
    request = head("POST", "/", "Transfer-Encoding: chunked") + b"b\r\n01234567890\r\n0\r\n\r\n"
    with running(ok, max_body=lambda _path: 10) as server:
        assert server.ask(request).status == 413
        assert server.ask(request.replace(b"b\r\n0", b"a\r\n")).status == 200


@pytest.mark.parametrize("leaves", [True, False])
def test_a_reply_that_waits_for_its_reader_is_kept_alive_in_order(*, leaves: bool) -> None:
    """Heartbeats come due meanwhile; whether it reads on or leaves, the stream comes to its end."""
    closed = threading.Event()

    def pieces() -> Iterator[bytes]:
        try:
            for _ in range(1000):
                yield b"x" * 10_000
        finally:
            closed.set()

    def app(environ: dict[str, Any], start: Any) -> Iterator[bytes]:
        environ["gateway.heartbeat"] = (0.02, b"beat")
        start("200 OK", [])
        return pieces()

    with running(app) as server:
        with server.connect() as caller:
            caller.sendall(head("GET", "/"))
            time.sleep(0.3)
            assert not closed.is_set()
            if not leaves:
                assert read(caller).body.replace(b"beat", b"") == b"x" * 10_000_000
        assert closed.wait(2)


def test_a_slow_reader_is_not_waited_for_beyond_the_grace() -> None:
    """Its reply is made; the rest of it is lost with the server."""

    def app(_environ: object, start: Any) -> list[bytes]:
        start("200 OK", [])
        return [bytes(30_000_000)]

    with running(app, grace_seconds=0.2) as server, server.connect() as caller:
        caller.sendall(head("GET", "/", "Connection: close"))
        time.sleep(0.3)
        server.server.stop()
        assert server.exits.get(timeout=3) == 0

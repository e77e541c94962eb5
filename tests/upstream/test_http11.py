"""One HTTP/1.1 connection: what a server sends means one thing in whatever pieces, or fails."""

import gc
import ssl
from collections.abc import Iterable

import httpcore
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_gateway.clock import SystemClock
from ai_gateway.upstream.http11 import Connection

KEPT = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
#: What a server sends before it falls silent or closes → the body, and whether it can serve again.
WHOLE = {
    KEPT: (b"ab", True),
    CHUNKED + b"1\r\na\r\n1\r\nb\r\n0\r\nx-trailer: y\r\n\r\n": (b"ab", True),
    b"HTTP/1.1 204 No Content\r\n\r\n": (b"", True),
    b"HTTP/1.1 100 Continue\r\nx: y\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n" + KEPT: (b"ab", True),
    b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nab": (b"ab", False),
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nab": (b"ab", False),
    b"HTTP/1.1 200 OK\r\n\r\nab": (b"ab", False),
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nab": (b"ab", False),
}
CUT = [
    b"",
    b"HTTP/1.1 200 OK\r\ncontent-le",
    b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab",
    CHUNKED + b"1\r\na\r\n",
    CHUNKED + b"zz\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\nx : y\r\n\r\nab",
    b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\nab",
    b"HTTP/1.1 101 Switching\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000,
    b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000,
]
#: What may be said for ever without a byte of the body: a trailer, a chunk's extension.
ENDLESS = [b"0\r\nx: ", b"1;"]


class Server(httpcore.NetworkBackend, httpcore.NetworkStream):
    """Both ends of a connection that a test has in its hand."""

    def __init__(self, pieces: Iterable[bytes], *, unread: bool = False) -> None:
        self.pieces = list(pieces)
        self.sent = b""
        self.closed = False
        self.secured: str | None = None
        self.unread = unread

    def connect_tcp(self, *_arguments) -> "Server":
        return self

    def start_tls(self, ssl_context, server_hostname=None, timeout=None) -> "Server":
        self.secured = server_hostname
        return self

    def read(self, _most, _timeout=None) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    def write(self, buffer, _timeout=None) -> None:
        self.sent += buffer

    def close(self) -> None:
        self.closed = True

    def get_extra_info(self, _info) -> bool:
        return self.unread


class Clock(SystemClock):
    """Moved by hand."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


def connection(server, clock=None, url="http://models.test:81/v1") -> Connection:
    """A connection to ``server``."""
    return Connection(
        httpcore.URL(url), ssl.create_default_context(), 10.0, clock or Clock(), server
    )


def asked(method="POST", target=b"/v1", headers=((b"host", b"models.test"),)) -> httpcore.Request:
    """A request."""
    url = httpcore.URL(scheme=b"http", host=b"models.test", port=81, target=target)
    return httpcore.Request(method, url, headers=list(headers), content=b"{}")


def exchange(line, request=None) -> tuple[int, bytes]:
    """The status and body of one exchange."""
    response = line.handle_request(request or asked())
    try:
        return response.status, b"".join(response.stream)
    finally:
        response.stream.close()
        response.stream.close()


def split(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """All ways in which ``data`` can arrive."""
    places = st.lists(st.integers(0, len(data)), max_size=8).map(sorted)
    return places.map(
        lambda cuts: [
            data[start:stop]
            for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True)
            if start < stop
        ]
    )


@settings(deadline=None)
@given(st.sampled_from(sorted(WHOLE)).flatmap(lambda data: st.tuples(st.just(data), split(data))))
def test_an_answer_is_the_same_in_whatever_pieces_it_comes(given_) -> None:
    """Body and what becomes of the connection follow from the bytes alone."""
    data, pieces = given_
    server = Server(pieces)
    line = connection(server)
    body, kept = WHOLE[data]
    assert exchange(line) == (204 if b" 204 " in data else 200, body)
    assert (line.is_idle(), server.closed) == (kept, not kept)


@settings(deadline=None)
@given(st.sampled_from(CUT).flatmap(split))
def test_what_is_no_whole_answer_is_an_error(pieces) -> None:
    """It is never taken for one, and its connection is closed by whoever asked."""
    line = connection(Server(pieces))
    with pytest.raises(httpcore.RemoteProtocolError):
        exchange(line)
    assert not line.is_idle()


@pytest.mark.parametrize("begun", ENDLESS)
def test_framing_has_a_bound(begun) -> None:
    """What is no body ends within the bound of a head, however little of a body there is."""
    server = Server([CHUNKED, b"1\r\na\r\n", begun, *[b"a" * 65_536] * 100])
    with pytest.raises(httpcore.RemoteProtocolError, match="too long"):
        exchange(connection(server))
    assert server.closed
    assert len(server.pieces) > 90


@pytest.mark.parametrize("more", [b"x", KEPT, b"HTTP/1.1 100 Continue\r\n\r\n"])
@pytest.mark.parametrize("method", ["POST", "HEAD"])
def test_who_says_more_than_it_was_asked_is_not_asked_again(more, method) -> None:
    """Another answer would be taken for that of the next request."""
    server = Server([KEPT + more])
    line = connection(server)
    assert exchange(line, asked(method))[1] == (b"" if method == "HEAD" else b"ab")
    assert server.closed


def test_a_head_has_no_body() -> None:
    """Whatever length it says that one would have."""
    server = Server([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"])
    line = connection(server)
    assert exchange(line, asked("HEAD")) == (200, b"")
    assert line.is_idle()


def test_a_body_that_is_not_read_to_its_end_costs_the_connection() -> None:
    """What is left of it would stand before the next answer."""
    server = Server([KEPT[:-1], b"b"])
    line = connection(server)
    line.handle_request(asked()).stream.close()
    assert server.closed
    assert not line.is_idle()


def test_a_connection_serves_again_until_it_has_lain_too_long() -> None:
    """Ten seconds here; and not when its other side has something to say, such as its end."""
    server, clock = Server([KEPT, KEPT]), Clock()
    line = connection(server, clock)
    assert not line.has_expired()
    for _ in range(2):
        assert exchange(line) == (200, b"ab")
    assert not line.has_expired()
    server.unread = True
    assert line.has_expired()
    server.unread, clock.seconds = False, 10.5
    assert line.has_expired()
    line.close()
    assert not line.has_expired()


def test_tls_is_for_the_hosts_own_name() -> None:
    """And spoken to an https origin only."""
    server = Server([KEPT])
    exchange(connection(server, url="https://models.test/v1"))
    assert server.secured == "models.test"
    server = Server([KEPT])
    exchange(connection(server))
    assert server.secured is None


def test_what_is_sent() -> None:
    """The line, the headers as they were given, and the body."""
    server = Server([KEPT])
    exchange(connection(server), asked(headers=[(b"Host", b"x"), (b"Empty", b"")]))
    assert server.sent == b"POST /v1 HTTP/1.1\r\nHost: x\r\nEmpty: \r\n\r\n{}"


def test_a_server_that_answers_before_it_has_read_all_is_heard() -> None:
    """A refusal may come with the connection's end."""

    class Refusing(Server):
        def write(self, _buffer, _timeout=None) -> None:
            raise httpcore.WriteError("gone")

    assert exchange(connection(Refusing([KEPT]))) == (200, b"ab")


@settings(deadline=None)
@given(
    st.sampled_from(["method", "target", "name", "value"]),
    st.sampled_from([b"\r\n", b"\n", b"\r", b"\0", b"x\r\nevil: 1", b" HTTP/1.1\r\nx: y"]),
)
def test_no_request_hides_another(where, evil) -> None:
    """A line's end in any part is refused before a byte is sent."""
    parts = {"method": b"POST", "target": b"/v1", "name": b"x", "value": b"y"}
    parts[where] += evil
    server = Server([KEPT])
    request = asked(parts["method"], parts["target"], [(parts["name"], parts["value"])])
    with pytest.raises(httpcore.LocalProtocolError):
        connection(server).handle_request(request)
    assert server.sent == b""


def test_an_exchange_leaves_nothing_to_collect() -> None:
    """A hundred exchanges are freed as they end: a collector's work would hold up all threads."""
    line = connection(Server([KEPT] * 100))
    gc.collect()
    gc.disable()
    try:
        for _ in range(100):
            exchange(line)
        assert gc.collect() < 100
    finally:
        gc.enable()

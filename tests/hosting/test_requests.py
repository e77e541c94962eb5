"""What reaches the application, and what never does."""

from __future__ import annotations

import json
import queue
import socket
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ai_gateway.errors import BadRequest, TooLarge
from ai_gateway.hosting import Refusal
from ai_gateway.hosting import environ as environs
from tests.hosting.conftest import Answer, Running, head, read, running


def said(answer: Answer) -> dict[str, Any]:
    """What the echo application was asked."""
    assert answer.status == 200
    return dict(json.loads(answer.body))


def refusal(server: Running) -> Refusal:
    """The next refusal that was recorded."""
    return server.refused.get(timeout=5)


def test_environ_is_that_of_pep_3333(echo: Running) -> None:
    """A request reaches the application with WSGI's own names, its path decoded, its body whole."""
    environ = said(
        echo.post("/a%20b/%C3%BC?x=1&y=%20", b"hello", "Content-Type: text/plain", "X-Api-Key: k")
    )
    expected = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a b/Ã¼",
        "QUERY_STRING": "x=1&y=%20",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "5",
        "HTTP_X_API_KEY": "k",
        "HTTP_HOST": "x",
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(echo.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "body": "hello",
    }
    assert environ.items() >= expected.items()
    assert 0 <= time.monotonic() - environ["received"] < 5


def test_repeated_headers_are_joined(echo: Running) -> None:
    """A header that comes twice reaches the application as one list."""
    environ = said(echo.get("/", "Accept: a", "Accept: b", "Cookie: a=1", "Cookie: b=2"))
    assert (environ["HTTP_ACCEPT"], environ["HTTP_COOKIE"]) == ("a, b", "a=1; b=2")


def test_underscore_does_not_pass_for_a_hyphen(echo: Running) -> None:
    """A caller's ``remote_user`` must not read as the ``REMOTE-USER`` that a proxy sets."""
    assert "HTTP_REMOTE_USER" not in said(echo.get("/", "remote_user: admin"))


def test_forwarded_headers_are_not_believed(echo: Running) -> None:
    """The caller's address is that of the connection, whatever a header says."""
    environ = said(echo.get("/", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https"))
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("127.0.0.1", "http")


def test_chunked_body_arrives_whole(echo: Running) -> None:
    """A chunked body reaches the application joined, with its true length."""
    request = head("POST", "/", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    environ = said(echo.ask(request))
    assert (environ["body"], environ["CONTENT_LENGTH"]) == ("abcde", "5")
    assert "HTTP_TRANSFER_ENCODING" not in environ


def test_trailers_are_no_headers(echo: Running) -> None:
    """What comes after a chunked body is never taken for a header."""
    request = (
        head("POST", "/", "Transfer-Encoding: chunked") + b"1\r\na\r\n0\r\nRemote-User: a\r\n\r\n"
    )
    assert "HTTP_REMOTE_USER" not in said(echo.ask(request))


def test_body_in_pieces_arrives_whole(echo: Running) -> None:
    """A body that comes in pieces within its deadline reaches the application whole."""
    with echo.connect() as caller:
        caller.sendall(head("POST", "/", "Content-Length: 4") + b"ab")
        time.sleep(0.05)
        caller.sendall(b"cd")
        assert said(read(caller))["body"] == "abcd"


@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(body=st.binary(max_size=900), cuts=st.lists(st.integers(1, 300), min_size=1, max_size=8))
def test_any_chunking_gives_the_same_body(echo: Running, body: bytes, cuts: list[int]) -> None:
    """However a body is cut into chunks, the application reads the same bytes."""
    wire, rest = head("POST", "/", "Transfer-Encoding: chunked"), body
    for cut in cuts:
        piece, rest = rest[:cut], rest[cut:]
        wire += b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
    wire += b"%x\r\n%b\r\n" % (len(rest), rest) if rest else b""
    assert said(echo.ask(wire + b"0\r\n\r\n"))["body"] == body.decode("latin-1")


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(noise=st.binary(min_size=1, max_size=200))
def test_noise_never_stops_the_server(noisy: Running, noise: bytes) -> None:
    """Whatever bytes come, they get a 4xx or a closed connection, and the next caller an answer."""
    with noisy.connect() as caller:
        caller.sendall(noise + b"\r\n\r\n")
        caller.shutdown(socket.SHUT_WR)
        first = caller.recv(12)
    assert not first or first.startswith((b"HTTP/1.1 4", b"HTTP/1.1 2"))
    assert noisy.get("/").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Length: 3", "Transfer-Encoding: chunked"],
        ["Content-Length: 3", "Content-Length: 4"],
        ["Content-Length: 3", "Content-Length: 3"],
        ["Content-Length: -1"],
        ["Content-Length: 3x"],
        ["Content-Length: 99999999999999999999999"],
        ["Transfer-Encoding: gzip, identity", "Content-Length: 3"],
        ["Transfer-Encoding: xchunked"],
        ["Bad\x00Name: 1"],
        ["Good: 1\x00"],
        ["Good: 1\n folded"],
        [" leading: 1"],
        ["Spaced : 1"],
    ],
)
def test_ambiguous_framing_is_refused(echo: Running, headers: list[str]) -> None:
    """A request that two parsers could read differently is refused and its connection closed."""
    with echo.connect() as caller:
        caller.sendall(head("POST", "/", *headers) + b"0\r\n\r\n")
        answer = read(caller)
        assert (answer.status, answer.code) == (400, "invalid_request")
        assert caller.recv(1) == b""
    assert isinstance(refusal(echo).error, BadRequest)


@pytest.mark.parametrize("host", ["a b", "a/../b", "a@b", "é", "a,b", "<script>"])
def test_odd_host_is_refused(echo: Running, host: str) -> None:
    """A Host that is no host name is a 400 in the one error shape."""
    answer = echo.ask(f"GET /ping HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert refusal(echo).path == "/ping"


@pytest.mark.parametrize("hosts", ["", "Host: a\r\nHost: a\r\n"])
def test_exactly_one_host(echo: Running, hosts: str) -> None:
    """HTTP/1.1 wants one Host header, not none and not two."""
    assert echo.ask(f"GET / HTTP/1.1\r\n{hosts}\r\n".encode()).status == 400
    refusal(echo)


@pytest.mark.parametrize("host", ["localhost:8100", "[::1]:80", "a-b.c_d.example"])
def test_common_hosts_pass(echo: Running, host: str) -> None:
    """Names, ports and IPv6 addresses are hosts."""
    assert echo.ask(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).status == 200


@pytest.mark.parametrize(
    "target", ["*", "http://", "no-slash", "/ü", "//", "/%zz%00", "http://x/ok", "/" + "a" * 3000]
)
def test_odd_targets_are_answered(noisy: Running, target: str) -> None:
    """Any target gets an answer that is no 5xx."""
    assert noisy.ask(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).status in {200, 400}


def test_too_large_by_its_length(echo: Running) -> None:
    """A length beyond the bound is a 413 before any of the body was sent, and no 100 Continue."""
    answer = echo.ask(head("POST", "/", "Content-Length: 1001", "Expect: 100-continue"))
    assert (answer.status, answer.code) == (413, "too_large")
    assert answer.headers["connection"] == "close"
    found = refusal(echo)
    assert isinstance(found.error, TooLarge)
    assert (found.method, found.path, found.client) == ("POST", "/", "127.0.0.1")
    assert found.request_id == answer.headers["x-request-id"]


def test_a_refusal_has_its_callers_shape() -> None:
    """An SDK reads its own API's errors, and finds their id, where no function was asked."""
    with running(_unasked, max_body=lambda _path: 9, shape=lambda path: path[1:]) as server:
        for more in (b"Content-Length: 10\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"):
            answer = server.ask(b"POST /anthropic HTTP/1.1\r\nHost: x\r\n" + more)
            assert json.loads(answer.body)["type"] == "error"
            assert answer.headers["request-id"] == answer.headers["x-request-id"]
        answer = server.ask(head("POST", "/oip", "Content-Length: 10"))
        assert isinstance(json.loads(answer.body)["error"], str)


def _unasked(_environ: Any, _start_response: Any) -> list[bytes]:
    raise AssertionError


def test_too_large_in_chunks(echo: Running) -> None:
    """A chunked body without a length is refused as soon as it passes the bound."""
    with echo.connect() as caller:
        caller.sendall(head("POST", "/", "Transfer-Encoding: chunked"))
        caller.sendall(b"3e9\r\n" + b"x" * 1001)
        assert read(caller).status == 413
    refusal(echo)


def test_answer_survives_a_caller_who_goes_on_sending(echo: Running) -> None:
    """A caller who sends megabytes after the refusal still reads it."""
    with echo.connect() as caller:
        caller.sendall(head("POST", "/", "Content-Length: 3000000") + b"x" * 3_000_000)
        assert read(caller).code == "too_large"
    refusal(echo)


def test_expected_continue_is_given(echo: Running) -> None:
    """A caller who waits for 100 Continue gets it, then its answer."""
    with echo.connect() as caller:
        caller.sendall(head("POST", "/", "Content-Length: 2", "Expect: 100-continue"))
        assert caller.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        caller.sendall(b"ok")
        assert said(read(caller))["body"] == "ok"


def test_late_body_is_408(echo: Running) -> None:
    """A body that does not arrive before its deadline is a 408."""
    started = time.monotonic()
    answer = echo.ask(head("POST", "/", "Content-Length: 5") + b"ab")
    assert (answer.status, answer.code) == (408, "body_timeout")
    assert 0.4 < time.monotonic() - started < 2
    refusal(echo)


def test_late_head_ends_the_connection(echo: Running) -> None:
    """A head that does not arrive in time ends the connection, on a fresh one and a used one."""
    with echo.connect() as caller:
        caller.sendall(b"GET / HT")
        assert caller.recv(1) == b""
    with echo.connect() as caller:
        caller.sendall(head("GET", "/"))
        read(caller)
        caller.sendall(b"GET / HT")
        assert caller.recv(1) == b""


def test_idle_connection_ends(echo: Running) -> None:
    """A connection without a next request ends after its keep-alive time."""
    with echo.connect() as caller:
        caller.sendall(head("GET", "/"))
        read(caller)
        started = time.monotonic()
        assert caller.recv(1) == b""
        assert time.monotonic() - started > 0.8


@pytest.mark.parametrize("rest", [b"abc", b""])
def test_short_body_never_reaches_the_application(echo: Running, rest: bytes) -> None:
    """A body that its caller cut is recorded as a mismatch and never delivered as a shorter one."""
    with echo.connect() as caller:
        caller.sendall(head("POST", "/cut", "Content-Length: 10") + rest)
        time.sleep(0.05)
    found = refusal(echo)
    assert (found.error.code, found.path) == ("length_mismatch", "/cut")


def test_cut_chunks_never_reach_the_application(echo: Running) -> None:
    """A chunked body without its end is a mismatch too."""
    with echo.connect() as caller:
        caller.sendall(head("POST", "/", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n")
        caller.shutdown(socket.SHUT_WR)
        assert caller.recv(1) == b""
    assert refusal(echo).error.code == "length_mismatch"


def test_broken_chunk_is_400(echo: Running) -> None:
    """A chunk whose size is no number is a 400, recorded once."""
    answer = echo.ask(head("POST", "/", "Transfer-Encoding: chunked") + b"zz\r\n")
    assert answer.status == 400
    refusal(echo)
    with pytest.raises(queue.Empty):
        echo.refused.get(timeout=0.1)


@pytest.mark.parametrize(
    "request_head",
    [
        head("GET", "/", "X: " + "a" * 5000),
        head("GET", "/", *(f"X-{i}: 1" for i in range(30))),
        head("GET", "/" + "a" * 5000),
        b"GET / HTTP/1.1\r\nX: " + b"a" * 9000,
    ],
    ids=["one long", "many", "target", "endless"],
)
def test_large_heads_are_431(echo: Running, request_head: bytes) -> None:
    """A head beyond the bound is refused, also before its end."""
    answer = echo.ask(request_head)
    assert (answer.status, answer.code) == (431, "headers_too_large")
    refusal(echo)


def test_endless_trailer_is_refused(echo: Running) -> None:
    """What follows a chunked body is bounded as a head is."""
    wire = head("POST", "/", "Transfer-Encoding: chunked") + b"1\r\na\r\n0\r\nX: "
    with echo.connect() as caller:
        caller.sendall(wire)
        time.sleep(0.05)
        caller.sendall(b"a" * 9000)
        assert read(caller).status == 431
    refusal(echo)


def test_hot_loop_of_pipelined_requests_is_bounded(echo: Running) -> None:
    """A caller who sends without reading gets what is under way, then a closed connection."""
    with echo.connect() as caller:
        caller.sendall(head("GET", "/") * 200)
        answers = 0
        with caller.makefile("rb") as stream:
            answers = sum(line.startswith(b"HTTP/1.1 200") for line in stream)
    assert 1 <= answers < 40
    refusal(echo)


def test_pipelined_requests_are_answered_in_order(echo: Running) -> None:
    """Requests sent together are answered one after the other."""
    with echo.connect() as caller:
        caller.sendall(
            head("GET", "/1") + head("GET", "/2") + head("GET", "/3", "Connection: close")
        )
        with caller.makefile("rb") as stream:
            wire = stream.read()
    assert [wire.index(b'"PATH_INFO": "/%d"' % i) for i in (1, 2, 3)] == sorted(
        wire.index(b'"PATH_INFO": "/%d"' % i) for i in (1, 2, 3)
    )


def test_garbage_after_a_request_does_not_spoil_its_answer(echo: Running) -> None:
    """The answer to a good request is whole; then the connection ends."""
    with echo.connect() as caller:
        caller.sendall(head("GET", "/good") + b"\x00garbage\r\n\r\n")
        assert said(read(caller))["PATH_INFO"] == "/good"
        assert caller.recv(1) == b""
    assert refusal(echo).path == ""


def test_garbage_after_a_refusal_is_not_answered(echo: Running) -> None:
    """A caller who was refused and then sends what is no chunk gets no second answer."""
    with echo.connect() as caller:
        caller.sendall(head("POST", "/", "Transfer-Encoding: chunked") + b"3e9\r\n" + b"x" * 1001)
        assert read(caller).status == 413
        caller.sendall(b"zz")
        assert caller.recv(1) == b""
    assert [refusal(echo).error.status for _ in range(2)] == [413, 400]


def test_refused_caller_is_not_waited_for(echo: Running) -> None:
    """A refused caller who neither sends nor leaves is closed after a moment."""
    with echo.connect() as caller:
        caller.sendall(head("POST", "/", "Content-Length: 1001"))
        assert read(caller).status == 413
        assert caller.recv(1) == b""
    refusal(echo)


def test_upgrade_is_not_taken(echo: Running) -> None:
    """A request that asks for an upgrade is answered as it stands, and its connection ends."""
    with echo.connect() as caller:
        caller.sendall(head("GET", "/u", "Connection: Upgrade", "Upgrade: websocket"))
        assert said(read(caller))["PATH_INFO"] == "/u"
        assert caller.recv(1) == b""


def test_environ_without_addresses() -> None:
    """A connection whose addresses are gone still gives an environ."""
    scope: dict[str, Any] = {
        "client": None,
        "server": None,
        "method": "GET",
        "raw_path": b"/",
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
        "headers": [],
        "gateway.arrival": None,
    }
    assert environs.build(scope, b"", 0.0)["REMOTE_ADDR"] == ""
    assert Refusal.of(BadRequest("no"), {}, str).client == ""

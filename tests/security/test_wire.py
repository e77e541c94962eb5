"""Bytes from outside, before a whole gateway on a real socket: nothing hides, hangs or fails."""

import contextlib
import json
import socket
import time
from http import HTTPStatus

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ai_gateway.contract import Reply
from ai_gateway.hosting import Current
from runner import application
from tests.conftest import KEY
from tests.hosting.conftest import head, running

ROUTES = "".join(
    f"  - {{path: {path}, methods: [{method}], function: 'functions.{function}:handle', {more}}}\n"
    for path, method, function, more in (
        ("/ping", "GET", "ping", "auth: none"),
        ("/hidden", "GET", "home", "auth: none"),
        ("/v1/chat/completions", "POST", "v1.chat_completions", "auth: api-key"),
        ("/v1/audio/transcriptions", "POST", "v1.audio_transcriptions", "auth: api-key"),
        ("/inference", "POST", "inference", "auth: api-key, max_body: 100000"),
    )
)
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /inference HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
#: Two framings in one head: by the one HIDDEN is a body, by the other a request.
TWO_FRAMINGS = {
    "length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "chunks and length": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(HIDDEN),
    "a list of lengths": b"Content-Length: 0, %d\r\n" % len(HIDDEN),
    "a signed length": b"Content-Length: +0\r\n",
    "a negative length": b"Content-Length: -1\r\n",
    "a hexadecimal length": b"Content-Length: 0x0\r\n",
    "a length with a space": b"Content-Length: 0 1\r\n",
    "an endless length": b"Content-Length: 18446744073709551616\r\n",
    "an underscore": b"Content-Length: 1_0\r\n",
    "an empty length": b"Content-Length: \r\nTransfer-Encoding: chunked\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\n",
    "a tab before the colon": b"Transfer-Encoding\t: chunked\r\n",
    "a folded line": b"Transfer-Encoding:\r\n chunked\r\n",
    "a folded length": b"Content-Length: 0\r\n 5\r\n",
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n",
    "identity after chunks": b"Transfer-Encoding: chunked, identity\r\n",
    "chunks twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    "a quoted coding": b'Transfer-Encoding: "chunked"\r\n',
    "a coding cut": b"Transfer-Encoding: chunk\r\n",
    "a vertical tab": b"Transfer-Encoding:\x0bchunked\r\n",
    "a NUL in a name": b"Transfer\x00-Encoding: chunked\r\n",
    "a NUL in a value": b"Transfer-Encoding: chunked\x00\r\n",
    "a carriage return in a value": b"X: a\rTransfer-Encoding: chunked\r\n",
    "a line feed in a value": b"X: a\nTransfer-Encoding : chunked\r\n",
    "a name with a letter beyond ASCII": b"Transfer-Encod\xc4\xb1ng: chunked\r\n",
    "an empty name": b": chunked\r\n",
    "no colon": b"Transfer-Encoding chunked\r\n",
}
#: Bodies in chunks that two readers could cut at different places.
CHUNKS = {
    "a size beyond 64 bits": b"fffffffffffffffff\r\n" + HIDDEN,
    "a size that wraps to nothing": b"10000000000000000\r\n" + HIDDEN,
    "a negative size": b"-1\r\n" + HIDDEN,
    "a size with a sign": b"+0\r\n\r\n" + HIDDEN,
    "a size with 0x": b"0x0\r\n\r\n" + HIDDEN,
    "a size with an underscore": b"0_0\r\n\r\n" + HIDDEN,
    "no size": b"\r\n" + HIDDEN,
    "a space before the size": b" 0\r\n\r\n" + HIDDEN,
    "a body longer than its size": b"1\r\nab\r\n0\r\n\r\n" + HIDDEN,
    "a line feed alone after the size": b"2\nab\r\n0\r\n\r\n",
    "a line feed alone after the body": b"2\r\nab\n0\r\n\r\n",
    "a line feed in an extension": b"2;a\nb\r\nab\r\n0\r\n\r\n",
    "a carriage return in an extension": b"2;a\rb\r\nab\r\n0\r\n\r\n",
    "an endless extension": b"2;" + b"a" * 200_000 + b"\r\nab\r\n0\r\n\r\n",
    "endless extensions": b"".join(b"1;" + b"a" * 60 + b"\r\na\r\n" for _ in range(3000)),
    "an endless trailer": b"0\r\n" + b"X: a\r\n" * 20_000 + b"\r\n",
    "a NUL": b"2\x00\r\nab\r\n0\r\n\r\n",
}
#: Heads and bodies beyond every bound.
LARGE = {
    "a target": b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a query": b"GET /ping?" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method": b"A" * 200_000 + b" / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a version": b"GET / HTTP/" + b"1" * 200_000 + b"\r\nHost: x\r\n\r\n",
    "a header": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
    "a header's name": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a" * 200_000 + b": x\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * 40_000 + b"\r\n",
    "many hosts": b"GET / HTTP/1.1\r\n" + b"Host: x\r\n" * 50 + b"\r\n",
    "a body": POST + b"Content-Length: 100001\r\n\r\n" + b"a" * 100_001,
    "a body that is promised": POST + b"Content-Length: 99999999999\r\n\r\n",
    "chunks": POST
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + b"400\r\n"
    + b"a" * 1024
    + b"\r\n" * 200,
}
#: What is no HTTP/1.1 at all.
FOREIGN = {
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 30,
    "HTTP/0.9": b"GET /ping\r\n",
    "HTTP/1.2": b"GET /ping HTTP/1.2\r\nHost: x\r\n\r\n",
    "HTTP/9.9": b"GET /ping HTTP/9.9\r\nHost: x\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
    "a proxy's line": b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\nGET /ping HTTP/1.1\r\nHost: x\r\n\r\n",
    "SMTP": b"EHLO x\r\nMAIL FROM:<a@b>\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "Redis": b"*1\r\n$4\r\nINFO\r\n",
    "line feeds": b"\n" * 100_000,
    "nothing": b"\x00" * 100_000,
    "CONNECT": b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n",
    "an upgrade": b"GET /ping HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
    b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n" + HIDDEN,
}


@pytest.fixture
def served(start):
    """A whole gateway on a socket, and how often its hidden route was called."""
    gateway = start(ROUTES)
    called: list[str] = []
    gateway.snapshot.bundle.handlers["hidden"] = lambda event, _: (
        called.append(event.path) or Reply({})
    )
    gateway.simulator.faults["model-a"] = gateway.simulator.faults["model-b"] = "say=fine"
    with running(
        Current(application(gateway.snapshot)),
        max_body=gateway.snapshot.max_body,
        shape=gateway.snapshot.shape,
        body_seconds=0.5,
        header_seconds=0.5,
    ) as server:
        yield server, called


def spoken(server, data: bytes) -> tuple[list[int], float]:
    """The statuses that ``data`` is answered with until the connection ends, and after how long."""
    return _said(server, data, until=None)


def answered(server, data: bytes) -> tuple[int, float]:
    """The first status that is final, of a caller who waits for his answer."""
    statuses, seconds = _said(server, data, until=HTTPStatus.OK)
    assert statuses, "no answer came"
    return statuses[-1], seconds


def _said(server, data: bytes, *, until: int | None) -> tuple[list[int], float]:
    began, said = time.monotonic(), b""
    with server.connect() as caller:
        caller.settimeout(5)
        with contextlib.suppress(OSError):  # refused and closed already
            caller.sendall(data)
            if until is None:
                caller.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while piece := caller.recv(65536):
                said += piece
                if until and any(status >= until for status in _statuses(said)):
                    break
    return _statuses(said), time.monotonic() - began


def _statuses(said: bytes) -> list[int]:
    lines = [line for line in said.split(b"\r\n") if b"HTTP/1.1 " in line]
    return [int(line.rpartition(b"HTTP/1.1 ")[2][:3]) for line in lines]


def well(server) -> None:
    """The next caller is answered at once."""
    began = time.monotonic()
    assert server.get("/ping").status == 200
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("name", TWO_FRAMINGS)
def test_no_request_hides_in_a_body_that_has_two_ends(served, name) -> None:
    """A head that two readers could frame in two ways is refused, and its connection ends."""
    server, called = served
    for body in (CHUNKED, HIDDEN, b"0\r\n\r\n" + HIDDEN):
        statuses, seconds = spoken(server, POST + TWO_FRAMINGS[name] + b"\r\n" + body)
        assert statuses == [400], name
        assert seconds < 3
    assert called == []
    well(server)


@pytest.mark.parametrize("name", CHUNKS)
def test_no_request_hides_between_chunks(served, name) -> None:
    """Chunks that two readers could cut in two ways are refused, and so are endless ones."""
    server, called = served
    statuses, seconds = spoken(server, POST + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS[name])
    assert len(statuses) <= 1
    assert all(400 <= status < 500 for status in statuses), statuses
    assert called == []
    assert seconds < 3
    well(server)


@pytest.mark.parametrize("name", LARGE)
def test_what_is_beyond_a_bound_is_refused(served, name) -> None:
    """Head, target, header, count and body have a bound each, and none costs the next caller."""
    server, _ = served
    statuses, seconds = spoken(server, LARGE[name])
    assert len(statuses) <= 1
    assert all(400 <= status < 500 for status in statuses), statuses
    assert seconds < 3
    well(server)


@pytest.mark.parametrize("name", FOREIGN)
def test_another_protocol_is_no_way_in(served, name) -> None:
    """What is no HTTP/1.1 gets a refusal or nothing, and what follows it is no request."""
    server, called = served
    statuses, seconds = spoken(server, FOREIGN[name])
    assert all(status in {200, *range(400, 500), 505} for status in statuses), statuses
    assert len(statuses) <= 1
    assert called == []
    assert seconds < 3
    well(server)


def test_a_line_feed_alone_ends_no_head(served) -> None:
    """Bare line feeds are refused, or end lines for everybody: a second request never appears."""
    server, called = served
    for data in (
        b"POST /inference HTTP/1.1\nHost: x\nContent-Length: %d\n\n%b" % (len(HIDDEN), HIDDEN),
        b"POST /inference HTTP/1.1\r\nHost: x\r\nX: a\n\n" + HIDDEN + b"\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: x\r\nX: a\r\r\n" + HIDDEN,
    ):
        statuses, _ = spoken(server, data)
        assert len(statuses) == 1, data
        assert 400 <= statuses[0] < 500, data
    assert called == []


def test_slow_callers_hold_up_nobody(served) -> None:
    """Heads and bodies that drip end at their deadline, and others are answered meanwhile."""
    server, _ = served
    slow = [server.connect() for _ in range(60)]
    heads = (b"GET /ping HTTP/1.1\r\nX-", POST + b"Content-Length: 99\r\n\r\n{")
    for number, caller in enumerate(slow):
        caller.sendall(heads[number % 2])
    for _ in range(4):
        for caller in slow:
            with contextlib.suppress(ConnectionError):
                caller.sendall(b"a")
        well(server)
        time.sleep(0.1)
    ended = 0
    for caller in slow:
        caller.settimeout(3)
        with contextlib.suppress(ConnectionError):
            while caller.recv(4096):
                pass
        ended += 1
        caller.close()
    assert ended == 60
    well(server)


FUZZ = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
NAMES = st.one_of(
    st.sampled_from(
        [
            *("content-type", "content-encoding", "accept", "accept-encoding", "authorization"),
            *("x-api-key", "cookie", "range", "if-match", "traceparent", "x-request-id", "expect"),
            *("anthropic-version", "anthropic-beta", "cache-control", "origin", "host", "te"),
            *("x-forwarded-for", "remote-user", "sec-fetch-site", "x-simulate", "connection"),
        ]
    ),
    st.from_regex(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,30}", fullmatch=True),
)
VALUES = st.binary(max_size=120).filter(lambda value: not set(value) & set(b"\r\n\x00"))


@FUZZ
@given(headers=st.lists(st.tuples(NAMES, VALUES), max_size=20), good=st.booleans())
@example(headers=[("content-type", b"\xff" * 100)], good=True)
@example(headers=[("content-type", b"multipart/form-data; boundary=" + b"\xe9" * 50)], good=True)
@example(headers=[("traceparent", b"00-" + b"g" * 32)], good=True)
def test_no_header_makes_it_fail(served, headers, good) -> None:
    """Whatever headers say, the answer is no 5xx, comes in time, and the next one too."""
    server, _ = served
    body = b'{"inputs": "a"}'
    lines = [name.encode() + b": " + value for name, value in headers]
    key = b"x-api-key: " + KEY.encode() if good else b"x: y"
    wire = b"\r\n".join([POST[:-2], b"content-length: %d" % len(body), key, *lines, b"", body])
    status, seconds = answered(server, wire)
    assert status < 500, (status, headers)
    assert seconds < 5
    well(server)


KINDS = st.sampled_from(
    [
        *(
            "application/json",
            "text/plain",
            "multipart/form-data; boundary=x",
            "",
            "application/xml",
        ),
        *("multipart/form-data", 'multipart/form-data; boundary="', "application/json; charset=x"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["messages", "model", "role", "content", "type", "tools", "n", "stream"]
            )
            | st.text(max_size=8),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@FUZZ
@given(
    body=st.binary(max_size=400) | JSON.map(lambda value: json.dumps(value).encode()),
    kind=KINDS,
    path=st.sampled_from(["/v1/chat/completions", "/v1/audio/transcriptions", "/inference"]),
)
@example(body=b"--x\r\n", kind="multipart/form-data; boundary=x", path="/v1/audio/transcriptions")
@example(
    body=b'{"messages":[{"role":"user","content":[{}]}]}', kind="", path="/v1/chat/completions"
)
def test_no_body_makes_it_fail(served, body, kind, path) -> None:
    """Whatever a body says, the answer is no 5xx of the gateway's, and the next one comes."""
    server, _ = served
    wire = head(
        "POST", path, f"X-API-Key: {KEY}", f"Content-Type: {kind}", f"Content-Length: {len(body)}"
    )
    status, seconds = answered(server, wire + body)
    assert status < 500, (status, body, kind)
    assert seconds < 5
    well(server)

"""Connections that fail, at every point, end as one clear error within their time."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.errors import (
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnavailable,
    UpstreamUnreachable,
)
from ai_gateway.manifest.model import Model
from ai_gateway.upstream import Upstreams, errors
from tests.upstream.conftest import CHAT
from tests.upstream.fake import completion, drip, hang, reply, spoken, then_close

pytestmark = pytest.mark.wire


def reset(connection: socket.socket, _received: Any) -> bool:
    """Close with a reset instead of an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    return False


def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def test_refused(ask: Any) -> None:
    """Nobody listens: 503, and the message says so without the address."""
    with pytest.raises(UpstreamUnavailable, match="connection was refused") as caught:
        ask(url=f"http://127.0.0.1:{closed_port()}/v1")
    assert (caught.value.code, caught.value.may_have_run) == ("upstream_unreachable", False)
    assert "127.0.0.1" not in caught.value.message
    assert "meta/llama" in caught.value.message


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("label")])
def test_an_unknown_name(error: Exception) -> None:
    """A host without an address is 503 and said to be that."""

    def resolve(host: str, port: int) -> list[str]:
        raise error

    ways = Upstreams(SystemClock(), {}, resolve=resolve)
    with pytest.raises(UpstreamUnavailable, match="name is unknown"):
        ways.send(
            Model(url="http://models.test/v1", model_id="m"),
            CHAT,
            {},
            SystemClock().monotonic() + 5,
        )


def test_a_slow_name_server_meets_the_time_to_connect(over: threading.Event) -> None:
    """The time to connect holds for the resolution of the name too."""

    def resolve(host: str, port: int) -> list[str]:
        over.wait(10)
        return []

    ways = Upstreams(SystemClock(), {}, resolve=resolve)
    model = Model.model_validate(
        {"url": "http://models.test/v1", "model_id": "m", "timeout": {"connect": "100ms"}}
    )
    with pytest.raises(UpstreamUnreachable, match="connected to in time") as caught:
        ways.send(model, CHAT, {}, SystemClock().monotonic() + 5)
    assert (caught.value.status, caught.value.may_have_run) == (504, False)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (b"", "closed the connection without an answer"),
        (b"HTTP/1.1 200 OK\r\ncontent-le", "closed the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "answered something that is not HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", "ended early"),
        (
            b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"a":',
            "ended early",
        ),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "ended early"),
        (b"HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n", "something that is not HTTP"),
    ],
)
def test_cuts(ask: Any, upstream: Any, steps: bytes, said: str) -> None:
    """A connection that ends early, or speaks something else, is 502 and said to be that."""
    upstream.script(then_close(steps))
    with pytest.raises(UpstreamError, match=said) as caught:
        ask()
    assert (caught.value.status, caught.value.may_have_run) == (502, True)


def test_a_reset(ask: Any, upstream: Any) -> None:
    """A reset before the answer is 502."""
    upstream.script(reset)
    with pytest.raises(UpstreamError, match="without an answer"):
        ask()


def test_the_first_byte_has_its_time(ask: Any, upstream: Any, over: threading.Event) -> None:
    """An upstream that says nothing is given up after timeout.first_byte."""
    upstream.script(hang(over))
    started = time.monotonic()
    with pytest.raises(UpstreamTimeout, match="no first byte") as caught:
        ask(timeout={"first_byte": "200ms"})
    assert time.monotonic() - started < 2
    assert (caught.value.status, caught.value.may_have_run) == (504, True)


@pytest.mark.parametrize("declared", [True, False])
def test_a_dripping_upstream_ends_at_the_deadline(
    ask: Any, upstream: Any, over: threading.Event, *, declared: bool
) -> None:
    """A byte now and then keeps no call alive past the deadline, in the head or in the body."""
    step = drip(reply(completion("x" * 2000)), 0.02, over)
    upstream.script(step)
    started = time.monotonic()
    with pytest.raises(UpstreamTimeout, match="before the deadline"):
        ask(timeout={"whole": "400ms"} if declared else {}, within=10 if declared else 0.4)
    assert 0.3 < time.monotonic() - started < 2


def test_a_slowly_reading_upstream_ends_at_the_deadline(
    ask: Any, upstream: Any, over: threading.Event
) -> None:
    """A request that the upstream does not take off the wire ends at the deadline."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        body = {"messages": [{"role": "user", "content": "x" * 30_000_000}]}
        started = time.monotonic()
        with pytest.raises(UpstreamTimeout, match="before the deadline"):
            ask(url=f"http://127.0.0.1:{listener.getsockname()[1]}/v1", body=body, within=0.6)
        assert time.monotonic() - started < 3


def test_no_way_to_a_host() -> None:
    """A connection that fails in no known way is 503, without the system's own words."""
    error = httpx.ConnectError("[Errno 113] No route to host 10.0.0.1")
    found = errors.failure("The model m", error, late=False, answering=False)
    assert isinstance(found, UpstreamUnavailable)
    assert found.message == "The model m cannot be reached: there is no connection to its host."


def test_a_slow_connection(ask: Any) -> None:
    """A host that does not take connections is given up after timeout.connect."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(8)]
        for filler in fillers:
            filler.settimeout(0)
            filler.connect_ex(("127.0.0.1", port))
        with pytest.raises(UpstreamUnreachable, match="connected to in time"):
            ask(url=f"http://127.0.0.1:{port}/v1", timeout={"connect": "200ms"})
        for filler in fillers:
            filler.close()


def test_an_early_answer_to_a_large_request_is_heard(ask: Any, upstreams: Upstreams) -> None:
    """An upstream that refuses a body before it has read it all is heard."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            connection.recv(1000)
            connection.sendall(reply({"error": {"message": "too large"}}, 413))
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
            connection.close()

        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(UpstreamError, match="too large") as caught:
            ask(
                url=f"http://127.0.0.1:{listener.getsockname()[1]}/v1",
                body={"messages": ["x" * 1_000_000]},
            )
        assert caught.value.status == 413
        upstreams.close()
        thread.join(5)


def test_tls_with_the_models_ca_file(ask: Any, secure: Any, authority: Any) -> None:
    """A certificate of the model's own authority is trusted, and the connection kept."""
    for _ in range(3):
        assert spoken(ask(url=secure.url, ca_file=str(authority.ca))) == "hello"
    assert secure.connections == 1


@contextmanager
def plain() -> Iterator[int]:
    """The port of a server that answers anything with plain HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(5)


def test_tls_failures_say_which(ask: Any, secure: Any, authority: Any) -> None:
    """An unknown authority, another host's certificate and a plain port are told apart."""
    ca = str(authority.ca)
    with pytest.raises(UpstreamError, match="certificate that does not hold") as caught:
        ask(url=secure.url)
    assert caught.value.status == 502
    ways = Upstreams(SystemClock(), {}, resolve=lambda _host, _port: ["127.0.0.1"])
    model = Model(url=f"https://other.test:{secure.port}/v1", model_id="m", ca_file=ca)
    with pytest.raises(UpstreamError, match="certificate that does not hold: Hostname mismatch"):
        ways.send(model, CHAT, {}, SystemClock().monotonic() + 5)
    with plain() as port, pytest.raises(UpstreamError, match="TLS handshake"):
        ask(url=f"https://127.0.0.1:{port}/v1", ca_file=ca)


def test_a_silent_tls_handshake_meets_the_time_to_connect(ask: Any) -> None:
    """A port that takes the connection and says nothing is given up after timeout.connect."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/v1"
        with pytest.raises(UpstreamUnreachable, match="connected to in time"):
            ask(url=url, timeout={"connect": "200ms"})


def test_a_dead_address_is_passed_over(upstream: Any) -> None:
    """Where the first of a host's addresses does not answer, the next is tried."""

    def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.3", "127.0.0.1"]

    ways = Upstreams(SystemClock(), {}, resolve=resolve)
    model = Model(url=f"http://models.test:{upstream.port}/v1", model_id="m")
    assert spoken(ways.send(model, CHAT, {}, SystemClock().monotonic() + 5)) == "hello"
    assert upstream.requests[0].headers["host"] == f"models.test:{upstream.port}"
    ways.close()

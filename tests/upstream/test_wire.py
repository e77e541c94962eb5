"""Whatever bytes an upstream answers with, the result is an answer or one clear error."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import vcr
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ai_gateway.clock import SystemClock
from ai_gateway.errors import UpstreamError
from ai_gateway.manifest.model import Model
from ai_gateway.upstream import ProxyRequest, Upstreams
from tests.upstream.conftest import CHAT
from tests.upstream.fake import FakeUpstream, reply, then_close

LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 500\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/2 200 OK\r\n",
        b"content-length: 2\r\n",
        b"content-length: -2\r\n",
        b"content-length: 2, 3\r\n",
        b"transfer-encoding: chunked\r\n",
        b"transfer-encoding: gzip, chunked\r\n",
        b"content-encoding: gzip\r\n",
        b"content-type: text/html; charset=\xff\r\n",
        b"retry-after: \xe9\r\n",
        b"x: \x00\r\n",
        b": y\r\n",
        b" folded\r\n",
        b"connection: close\r\n",
        b"\r\n",
        b"\n",
        b"{}",
        b"2\r\n{}\r\n0\r\n\r\n",
        b"ffffffffffffffffffff\r\n",
        b'{"choices":[{"message":{"content":"\xc3\x28"}}]}',
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(LINES | st.binary(max_size=30), max_size=12).map(b"".join))
@example(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n\r\n")
@example(b"HTTP/1.1 200 \xff\xfe\r\ncontent-length: 2\r\n\r\n{}")
def test_any_bytes(ask: Any, upstream: FakeUpstream, data: bytes) -> None:
    """No bytes on the wire raise anything but an UpstreamError."""
    upstream.script(then_close(data))
    with suppress(UpstreamError):
        ask()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=30).map(str.encode), st.integers(200, 599))
def test_any_body(ask: Any, upstream: FakeUpstream, body: bytes, status: int) -> None:
    """No body under any status raises anything but an UpstreamError."""
    upstream.script(reply(body, 200 if status in (204, 304) else status))
    with pytest.raises(UpstreamError):
        ask()


@pytest.fixture
def mute() -> Iterator[str]:
    """A server that takes one connection after another and closes each."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    listener.accept()[0].close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_a_server_that_only_closes(ask: Any, mute: str) -> None:
    """A server that closes without reading is 502, each time."""
    for _ in range(5):
        with pytest.raises(UpstreamError, match="without an answer"):
            ask(url=mute)


def test_exchanges_are_recorded_and_replayed(
    upstream: FakeUpstream, upstreams: Upstreams, tmp_path: Path
) -> None:
    """A recorder sees every exchange, tokens filtered, and replays it without the upstream."""
    cassette = str(tmp_path / "exchange.yaml")
    match = ["method", "scheme", "host", "port", "path", "query", "body"]
    recorder = vcr.VCR(match_on=match, filter_headers=["authorization"])
    model = Model.model_validate(
        {"url": upstream.url, "model_id": "m", "credentials": {"token": "hush"}}
    )
    target = ProxyRequest("r", upstream.origin, "GET", "/x")
    upstream.script(reply(), reply({"error": "no"}, 400), reply(b"gone", 404))

    def exchanges(ways: Upstreams) -> list[Any]:
        end = SystemClock().monotonic() + 5
        answer = ways.send(model, CHAT, {"messages": ["a"]}, end)
        with pytest.raises(UpstreamError) as caught:
            ways.send(model, CHAT, {"messages": ["b"]}, end)
        raw = ways.relay(target, end)
        return [answer.body, answer.headers, caught.value.message, raw.status, raw.body]

    with recorder.use_cassette(cassette, record_mode="all"):
        live = exchanges(upstreams)
    upstream.close()
    with recorder.use_cassette(cassette, record_mode="none") as played:
        assert exchanges(Upstreams(SystemClock(), {})) == live
        assert played.all_played
    assert "hush" not in Path(cassette).read_text()


def test_an_unrecorded_exchange_is_not_swallowed(tmp_path: Path) -> None:
    """What a cassette does not hold fails the test that asks for it, instead of being a 502."""
    ways, model = Upstreams(SystemClock(), {}), Model(url="http://none.test/v1", model_id="m")
    with (
        vcr.use_cassette(str(tmp_path / "empty.yaml"), record_mode="none"),
        pytest.raises(vcr.errors.CannotOverwriteExistingCassetteException),
    ):
        ways.send(model, CHAT, {}, SystemClock().monotonic() + 5)

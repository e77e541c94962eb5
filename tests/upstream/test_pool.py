"""The pool keeps, replaces, bounds and returns its connections, whatever happens on them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.errors import UpstreamError, UpstreamTimeout, UpstreamUnavailable
from ai_gateway.manifest.model import Model
from ai_gateway.upstream import Upstreams
from ai_gateway.upstream.pool import Pool
from tests.upstream.conftest import CHAT
from tests.upstream.fake import FakeUpstream, drip, hang, reply, spoken, then_close


class Clock(SystemClock):
    """The machine's clock, put forward by a test."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


def pools(ways: Upstreams) -> list[Pool]:
    """Every pool of connections."""
    return [transport.pool for transport in ways._transports._all()]


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether ``holds`` comes true within three seconds."""
    end = time.monotonic() + 3
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


def test_a_connection_is_kept(ask: Any, upstream: FakeUpstream) -> None:
    """One call after another goes over one connection."""
    for _ in range(5):
        ask()
    assert upstream.connections == 1


def test_models_of_one_origin_share_connections(upstream: FakeUpstream) -> None:
    """Two models, and a model that a reload built anew, use the same connections."""
    ways, clock = Upstreams(SystemClock(), {}), SystemClock()
    for name in ("a", "b", "a"):
        model = Model(url=f"{upstream.origin}/{name}/v1", model_id=name)
        ways.send(model, CHAT, {}, clock.monotonic() + 5)
    assert upstream.connections == 1
    ways.close()
    assert eventually(lambda: not upstream.open)


@pytest.mark.parametrize("header", [{"connection": "close"}, {}])
def test_a_stale_connection_is_replaced(ask: Any, upstream: FakeUpstream, header: Any) -> None:
    """A connection that the server closed while it lay idle costs the caller nothing."""
    upstream.script(reply(headers=header))
    ask()
    upstream.drop_idle()
    assert eventually(lambda: not upstream.open)
    assert spoken(ask()) == "hello"
    assert upstream.connections == 2


def test_a_close_while_the_request_is_on_its_way_is_repeated(
    ask: Any, upstream: FakeUpstream
) -> None:
    """A kept connection that ends without a byte of an answer is replaced, once."""
    ask()
    upstream.script(then_close(b""))
    assert spoken(ask()) == "hello"
    assert len(upstream.requests) == 3
    assert upstream.connections == 2


def test_it_is_repeated_only_once(ask: Any, upstream: FakeUpstream) -> None:
    """A fresh connection that ends without an answer is an error."""
    ask()
    upstream.script(then_close(b""), then_close(b""))
    with pytest.raises(UpstreamError, match="without an answer"):
        ask()
    assert len(upstream.requests) == 3


def test_a_fresh_connection_is_not_repeated(ask: Any, upstream: FakeUpstream) -> None:
    """Only a kept connection can have been closed by chance."""
    upstream.script(then_close(b""))
    with pytest.raises(UpstreamError, match="without an answer"):
        ask()
    assert len(upstream.requests) == 1


def test_half_an_answer_is_not_repeated(ask: Any, upstream: FakeUpstream) -> None:
    """Once a byte of the answer has come, the upstream has the request."""
    ask()
    upstream.script(then_close(b"HTTP/1.1 2"))
    with pytest.raises(UpstreamError, match="without an answer"):
        ask()
    assert len(upstream.requests) == 2


def test_idle_connections_expire(upstream: FakeUpstream) -> None:
    """A connection that lay idle too long is not used again, and closed when somebody calls."""
    clock = Clock()
    ways = Upstreams(clock, {}, idle=0.05)
    one, other = (
        Model(url=f"{upstream.origin}/v1", model_id="m", max_connections=n) for n in (1, 2)
    )
    ways.send(one, CHAT, {}, clock.monotonic() + 5)
    time.sleep(0.1)
    ways.send(one, CHAT, {}, clock.monotonic() + 5)
    assert upstream.connections == 2
    time.sleep(0.1)
    clock.ahead = 11
    ways.send(other, CHAT, {}, clock.monotonic() + 5)
    assert eventually(lambda: upstream.open == {3})
    clock.ahead = 22
    ways.send(other, CHAT, {}, clock.monotonic() + 5)
    assert [len(pool) for pool in pools(ways)] == [0, 1]
    ways.close()


def test_a_sweep_keeps_what_is_fresh(upstream: FakeUpstream) -> None:
    """A connection that was used a moment ago survives the look at the old ones."""
    clock = Clock()
    ways = Upstreams(clock, {})
    model = Model(url=upstream.url, model_id="m")
    for ahead in (0, 11, 22):
        clock.ahead = ahead
        ways.send(model, CHAT, {}, clock.monotonic() + 5)
    assert upstream.connections == 1
    ways.close()


def test_the_bound_holds_and_waits(ask: Any, upstream: FakeUpstream) -> None:
    """With two connections allowed, eight calls at once all succeed on two."""

    def slow(connection: Any, _received: Any) -> None:
        time.sleep(0.02)
        connection.sendall(reply())

    upstream.always = slow
    with ThreadPoolExecutor(8) as threads:
        calls = [threads.submit(ask, max_connections=2) for _ in range(16)]
    assert [spoken(call.result()) for call in calls] == ["hello"] * 16
    assert upstream.connections == 2


def test_the_wait_ends_at_the_deadline(
    ask: Any, upstream: FakeUpstream, over: threading.Event
) -> None:
    """A call that finds every connection busy until its deadline is 503, and was not sent."""
    upstream.script(hang(over))
    with ThreadPoolExecutor(1) as threads:
        busy = threads.submit(ask, max_connections=1)
        assert eventually(lambda: len(upstream.requests) == 1)
        with pytest.raises(UpstreamUnavailable, match="stayed busy"):
            ask(max_connections=1, within=0.2)
        over.set()
        with pytest.raises(UpstreamError):
            busy.result()
    assert len(upstream.requests) == 1


def test_many_threads(upstream: FakeUpstream) -> None:
    """200 threads on at most 20 connections get every answer, each its own."""

    def echo(connection: Any, received: Any) -> None:
        connection.sendall(
            reply({"choices": [{"message": {"content": received.json()["messages"]}}]})
        )

    upstream.always = echo
    ways, clock = Upstreams(SystemClock(), {}), SystemClock()
    model = Model(url=upstream.url, model_id="m", max_connections=20)

    def call(number: int) -> bool:
        text = f"question {number}"
        return spoken(ways.send(model, CHAT, {"messages": text}, clock.monotonic() + 30)) == text

    with ThreadPoolExecutor(200) as threads:
        assert all(threads.map(call, range(2000)))
    assert upstream.connections <= 20
    (pool,) = pools(ways)
    assert len(pool) == len(upstream.open) == upstream.connections
    ways.close()
    assert eventually(lambda: not upstream.open)


def test_nothing_leaks(upstream: FakeUpstream, over: threading.Event) -> None:
    """After every kind of failure each connection is closed or idle, and the bound is whole."""
    ways, clock = Upstreams(SystemClock(), {}, max_response=10_000), SystemClock()
    model = Model.model_validate(
        {
            "url": upstream.url,
            "model_id": "m",
            "max_connections": 3,
            "timeout": {"first_byte": "100ms"},
        }
    )
    failures = [
        then_close(b""),
        then_close(b"rubbish\r\n\r\n"),
        then_close(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"),
        reply({"error": "no"}, 500),
        reply(b"x" * 20_000),
        reply(b"not json"),
        reply(b"?", headers={"content-encoding": "gzip"}),
        hang(over),
        drip(reply(), 0.05, over),
    ]
    for failure in failures * 3:
        upstream.script(failure)
        with pytest.raises(UpstreamError):
            ways.send(model, CHAT, {}, clock.monotonic() + 0.3)
    over.set()
    (pool,) = pools(ways)
    assert eventually(lambda: len(upstream.open) == len(pool) <= 3)
    assert pool._free.qsize() == 3
    assert spoken(ways.send(model, CHAT, {}, clock.monotonic() + 5)) == "hello"
    ways.close()
    assert eventually(lambda: not upstream.open)


def test_a_call_that_ends_after_close_leaves_nothing(
    ask: Any, upstreams: Upstreams, upstream: FakeUpstream
) -> None:
    """A connection in use when the upstreams are closed is closed when its answer ends."""

    def slow(connection: Any, _received: Any) -> None:
        upstreams.close()
        connection.sendall(reply())

    upstream.script(slow)
    assert spoken(ask()) == "hello"
    assert eventually(lambda: not upstream.open)


def test_a_response_that_is_closed_twice_is_given_back_once(upstream: FakeUpstream) -> None:
    """Closing a response again does not give a connection back that is another's by now."""
    ways, clock = Upstreams(SystemClock(), {}), SystemClock()
    endpoint = ways._endpoint(Model(url=upstream.url, model_id="m", max_connections=1))
    response = endpoint.transport.handle_request(
        httpx.Request("GET", upstream.url, extensions={"deadline": clock.monotonic() + 5})
    )
    response.stream.close()
    response.close()
    assert endpoint.transport.pool._free.qsize() == 1
    ways.close()


def test_the_deadline_covers_the_wait(ask: Any, upstream: FakeUpstream, over: Any) -> None:
    """What is left after the wait for a connection is all that the exchange has."""

    def slow(connection: Any, _received: Any) -> None:
        time.sleep(0.3)
        connection.sendall(reply())

    upstream.always = slow
    with ThreadPoolExecutor(1) as threads:
        busy = threads.submit(ask, max_connections=1)
        assert eventually(lambda: len(upstream.requests) == 1)
        with pytest.raises(UpstreamTimeout, match="before the deadline"):
            ask(max_connections=1, within=0.45)
        assert spoken(busy.result()) == "hello"

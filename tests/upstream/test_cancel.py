"""A caller who leaves ends his exchange at once, and nobody else's."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.errors import CallerLeft, UpstreamError
from ai_gateway.hosting.arrival import Arrival
from ai_gateway.manifest.model import Model
from ai_gateway.upstream import ProxyRequest, Upstreams
from ai_gateway.upstream.cancel import NEVER, NOBODY, Hold, Unsent
from tests.upstream.conftest import CHAT
from tests.upstream.fake import (
    DONE,
    FakeUpstream,
    Received,
    chunk,
    completion,
    delta,
    event,
    hang,
    head,
    paced,
    reply,
    streamed,
)

WITHIN = 1.0  # seconds


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether ``holds`` comes true within three seconds."""
    end = time.monotonic() + 3
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


def left_during(
    exchange: Callable[[Arrival], object], begun: Callable[[], bool], *, sent: bool = True
) -> None:
    """Leave once ``exchange`` has begun: it must end with CallerLeft within a second.

    ``sent``: whether the request was on its way by then, which the error must say.
    """
    caller = Arrival()
    ended: list[tuple[float, BaseException | None]] = []

    def work() -> None:
        try:
            exchange(caller)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test looks at it
            ended.append((time.monotonic(), error))
        else:
            ended.append((time.monotonic(), None))

    thread = threading.Thread(target=work)
    thread.start()
    assert eventually(begun)
    time.sleep(0.05)
    assert not ended
    left = time.monotonic()
    caller.leave()
    thread.join(5)
    when, error = ended[0]
    assert isinstance(error, CallerLeft)
    assert (error.status, error.code) == (499, "client_closed_request")
    assert error.may_have_run is sent
    assert when - left < WITHIN


def by() -> float:
    """A deadline that is far."""
    return SystemClock().monotonic() + 10


def model(upstream: FakeUpstream, **fields: Any) -> Model:
    """The scripted upstream's model."""
    return Model.model_validate({"url": upstream.url, "model_id": "m", **fields})


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("secured", [False, True])
def test_waiting_for_an_answer(
    upstream: FakeUpstream,
    secure: FakeUpstream,
    authority: Any,
    upstreams: Upstreams,
    over: threading.Event,
    *,
    kept: bool,
    secured: bool,
) -> None:
    """Sent and not yet answered, over TLS too, on a kept connection too (litellm 37140, 13774)."""
    server = secure if secured else upstream
    asked = model(server, ca_file=str(authority.ca))
    if kept:
        upstreams.send(asked, CHAT, {}, by())
    server.script(hang(over))
    seen = len(server.requests) + 1
    left_during(
        lambda caller: upstreams.send(asked, CHAT, {}, by(), cancel=caller),
        lambda: len(server.requests) == seen,
    )
    assert len(server.requests) == seen
    over.set()
    assert eventually(lambda: not server.open)
    assert upstreams.send(asked, CHAT, {}, by()).body == completion()


@pytest.mark.parametrize("framing", ["content-length: 99", "connection: close", ""])
def test_in_the_middle_of_an_answer(
    upstream: FakeUpstream, upstreams: Upstreams, over: threading.Event, framing: str
) -> None:
    """In an answer that ends with its connection, too: the cut is not taken for its end."""
    upstream.script(paced([f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{{}}".encode()], 5, over))
    left_during(
        lambda caller: upstreams.send(model(upstream), CHAT, {}, by(), cancel=caller),
        lambda: len(upstream.requests) == 1,
    )


@pytest.mark.parametrize("pieces", [[], [head()], [head(), chunk(event(delta("a")))]])
@pytest.mark.parametrize("secured", [False, True])
def test_in_a_stream(
    upstream: FakeUpstream,
    secure: FakeUpstream,
    authority: Any,
    upstreams: Upstreams,
    over: threading.Event,
    *,
    pieces: list[bytes],
    secured: bool,
) -> None:
    """A stream that pauses, before its first event and after it."""
    server = secure if secured else upstream
    server.script(paced([b"".join(pieces)], 5, over))
    asked = model(server, ca_file=str(authority.ca))
    left_during(
        lambda caller: list(upstreams.stream(asked, CHAT, {}, by(), cancel=caller)),
        lambda: len(server.requests) == 1,
    )
    over.set()
    assert eventually(lambda: not server.open)


def test_in_a_relayed_exchange(
    upstream: FakeUpstream, upstreams: Upstreams, over: threading.Event
) -> None:
    """A proxied target's answer is not waited for either."""
    upstream.script(hang(over))
    request = ProxyRequest("r", upstream.origin, "GET", "/x")
    left_during(
        lambda caller: upstreams.relay(request, by(), cancel=caller),
        lambda: len(upstream.requests) == 1,
    )


def test_waiting_for_a_connection(
    upstream: FakeUpstream, upstreams: Upstreams, over: threading.Event
) -> None:
    """While every connection is busy; and the place in the bound is not lost."""
    upstream.script(hang(over))
    asked = model(upstream, max_connections=1)
    with ThreadPoolExecutor(1) as threads:
        busy = threads.submit(upstreams.send, asked, CHAT, {}, by())
        assert eventually(lambda: len(upstream.requests) == 1)
        left_during(
            lambda caller: upstreams.send(asked, CHAT, {}, by(), cancel=caller),
            lambda: True,
            sent=False,
        )
        over.set()
        with pytest.raises(UpstreamError):
            busy.result()
    assert len(upstream.requests) == 1
    assert upstreams.send(asked, CHAT, {}, by()).body == completion()


def test_resolving_a_name(over: threading.Event) -> None:
    """While a name server is silent."""
    asked = threading.Event()

    def resolve(_host: str, _port: int) -> list[str]:
        asked.set()
        over.wait(10)
        return []

    ways = Upstreams(SystemClock(), {}, resolve=resolve)
    named = Model.model_validate({"url": "http://models.test/v1", "model_id": "m"})
    left_during(
        lambda caller: ways.send(named, CHAT, {}, by(), cancel=caller), asked.is_set, sent=False
    )


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["127.0.0.1", "127.0.0.1"]])
def test_connecting(addresses: list[str]) -> None:
    """While a host does not take the connection; no other address is tried."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(8)]
        for filler in fillers:
            filler.settimeout(0)
            filler.connect_ex(("127.0.0.1", port))
        ways = Upstreams(SystemClock(), {}, resolve=lambda _host, _port: addresses)
        named = Model.model_validate({"url": f"http://models.test:{port}/v1", "model_id": "m"})
        left_during(
            lambda caller: ways.send(named, CHAT, {}, by(), cancel=caller),
            lambda: True,
            sent=False,
        )
        for filler in fillers:
            filler.close()


def test_shaking_hands(upstreams: Upstreams) -> None:
    """While a TLS handshake is not answered."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/v1"
        named = Model.model_validate({"url": url, "model_id": "m"})
        left_during(
            lambda caller: upstreams.send(named, CHAT, {}, by(), cancel=caller),
            lambda: True,
            sent=False,
        )


def test_writing(upstreams: Upstreams) -> None:
    """While an upstream does not take a large request off the wire."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        named = Model.model_validate({"url": url, "model_id": "m"})
        body = {"messages": "x" * 30_000_000}
        left_during(
            lambda caller: upstreams.send(named, CHAT, body, by(), cancel=caller),
            lambda: bool(select.select([listener], [], [], 0)[0]),  # it has connected
        )


def test_who_left_before_is_not_asked_for(upstream: FakeUpstream, upstreams: Upstreams) -> None:
    """Nothing is sent for a caller who has left."""
    caller = Arrival()
    caller.leave()
    for ask in (upstreams.send, upstreams.stream):
        with pytest.raises(CallerLeft, match="before the model m had answered") as left:
            ask(model(upstream), CHAT, {}, by(), cancel=caller)
        assert not left.value.may_have_run
    assert upstream.connections == 0


def test_between_two_connections(upstream: FakeUpstream, upstreams: Upstreams) -> None:
    """Who leaves while a dead connection is replaced is not asked for again."""
    upstreams.send(model(upstream), CHAT, {}, by())
    caller = Arrival()

    def leave_and_close(_connection: socket.socket, _received: Received) -> bool:
        caller.leave()
        return False

    upstream.script(leave_and_close)
    with pytest.raises(CallerLeft):
        upstreams.send(model(upstream), CHAT, {}, by(), cancel=caller)
    assert len(upstream.requests) == 2


def test_a_late_leaving_hurts_nobody(upstream: FakeUpstream, upstreams: Upstreams) -> None:
    """A caller who leaves after his answer does not touch the connection's next exchange."""
    caller = Arrival()
    upstreams.send(model(upstream), CHAT, {}, by(), cancel=caller)

    def leave_and_answer(connection: socket.socket, _received: Received) -> None:
        caller.leave()
        connection.sendall(reply())

    upstream.script(leave_and_answer)
    assert upstreams.send(model(upstream), CHAT, {}, by()).body == completion()
    assert upstream.connections == 1


def test_a_stream_that_is_left_keeps_what_came(
    upstream: FakeUpstream, upstreams: Upstreams, over: threading.Event
) -> None:
    """What had come before its caller left was passed on, and the stream ends for good."""
    upstream.script(paced([head() + chunk(event(delta("a")))], 5, over))
    caller = Arrival()
    stream = upstreams.stream(model(upstream), CHAT, {}, by(), cancel=caller)
    assert next(stream) == (None, delta("a"))
    caller.leave()
    with pytest.raises(CallerLeft):
        next(stream)
    assert list(stream) == []


def test_nobody_leaves() -> None:
    """The caller who stays is the default, and costs nothing."""
    NEVER.add_callback(lambda: None)
    assert not NEVER.is_set()
    assert not NOBODY.fired
    NOBODY.check()
    NOBODY.hurry(1)


def test_a_hold_checks() -> None:
    """A hold whose caller left takes no wire."""
    caller = Arrival()
    hold = Hold(caller)
    caller.leave()
    with pytest.raises(Unsent):
        hold.check()


def numbered(connection: socket.socket, received: Received) -> None:
    """Answer with the number that was asked for, streamed or not, some after a while."""
    body = received.json()
    if body["n"] % 4 == 0:
        time.sleep(0.002 * (body["n"] % 5))
    pieces = [event({"n": body["n"], "at": at}) for at in range(5)]
    connection.sendall(streamed(*pieces, DONE) if "stream" in body else reply({"n": body["n"]}))


@contextmanager
def leaving() -> Iterator[Callable[[Arrival, float], None]]:
    """Lets callers leave after so many seconds, from a thread of its own."""
    due: list[tuple[float, Arrival]] = []
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.0005):
            for when, caller in list(due):
                if time.monotonic() >= when:
                    due.remove((when, caller))
                    caller.leave()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield lambda caller, seconds: due.append((time.monotonic() + seconds, caller))
    finally:
        over.set()
        thread.join(5)


@pytest.mark.parametrize("secured", [False, True])
def test_callers_who_leave_at_any_moment(
    upstream: FakeUpstream, secure: FakeUpstream, authority: Any, *, secured: bool
) -> None:
    """Whenever some callers leave, the others get their own answers, and nothing is lost."""
    server = secure if secured else upstream
    server.always = numbered
    ways = Upstreams(SystemClock(), {})
    asked = model(server, max_connections=8, ca_file=str(authority.ca))

    def ask(number: int, caller: Arrival) -> None:
        end = SystemClock().monotonic() + 60
        if number % 3:
            body = ways.send(asked, CHAT, {"n": number}, end, cancel=caller).body
            assert body == {"n": number}
        else:
            stream = ways.stream(asked, CHAT, {"n": number}, end, cancel=caller)
            assert [data for _, data in stream] == [{"n": number, "at": at} for at in range(5)]

    def call(number: int) -> str:
        caller = Arrival()
        if number % 2:
            leave(caller, number % 200 / 10_000)
        try:
            ask(number, caller)
        except CallerLeft:
            return "left" if number % 2 else "thrown out"
        return "answered"

    with leaving() as leave, ThreadPoolExecutor(24) as threads:
        outcomes = Counter(threads.map(call, range(3000)))
    assert outcomes.keys() == {"left", "answered"}
    assert outcomes["left"] > 10
    (transport,) = ways._transports._all()
    assert transport.pool._free.qsize() == 8
    assert eventually(lambda: len(server.open) == len(transport.pool) <= 8)
    ways.close()
    assert eventually(lambda: not server.open)


def test_who_leaves_has_no_hold_on_what_is_over(upstream: FakeUpstream) -> None:
    """An Arrival that outlives its exchange holds no connection."""
    ways = Upstreams(SystemClock(), {})
    caller = Arrival()
    ways.send(model(upstream), CHAT, {}, by(), cancel=caller)
    ways.close()
    fires: Any = caller._callbacks
    assert [fire.__self__._wire for fire in fires] == [None]

"""What is sent while a stream is silent, on real sockets."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ai_gateway.hosting.arrival import Arrival
from ai_gateway.hosting.head import Head
from ai_gateway.hosting.outbox import Outbox
from tests.hosting.conftest import Running, head, read, running

BEAT = b": ping\n\n"
EVENT = b"data: x\n\n"


class App:
    """A stream whose pauses its caller asks for, in seconds, and that may have a heartbeat."""

    def __init__(self, heartbeat: tuple[float, bytes] | None) -> None:
        self.heartbeat = heartbeat
        self.closed = threading.Event()

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterator[bytes]:
        environ["gateway.heartbeat"] = self.heartbeat
        start("200 OK", [("Content-Type", "text/event-stream")])
        return self.events([float(pause) for pause in environ["QUERY_STRING"].split(",")])

    def events(self, pauses: list[float]) -> Iterator[bytes]:
        try:
            for pause in pauses:
                time.sleep(pause)
                yield EVENT
        finally:
            self.closed.set()


@pytest.fixture(scope="module")
def beating() -> Iterator[Running]:
    """A server whose streams may be silent for 0.2 seconds."""
    with running(App((0.2, BEAT))) as server:
        yield server


def ask(server: Running, *pauses: float) -> bytes:
    """The body of a stream with these pauses before its events."""
    answer = server.get(f"/?{','.join(map(str, pauses))}")
    assert answer.status == 200
    return answer.body


def test_a_silence_is_broken_between_events(beating: Running) -> None:
    """Once in the time that may pass in silence, and again in the next one; no event is torn."""
    body = ask(beating, 0, 0.75, 0)
    assert body.replace(BEAT, b"") == EVENT * 3
    assert body.startswith(EVENT + BEAT)
    assert 3 <= body.count(BEAT) <= 4


def test_no_silence_is_longer(beating: Running) -> None:
    """Whenever the silence begins, it ends in time."""
    with beating.connect() as caller:
        caller.sendall(head("GET", "/?0,0.13,0.7"))
        seen, longest, last = b"", 0.0, None
        while not seen.endswith(b"0\r\n\r\n"):
            seen += caller.recv(65_536)
            now = time.monotonic()
            longest, last = max(longest, now - (last or now)), now
    assert longest < 0.5  # 0.2, and a busy machine


def test_a_stream_that_flows_has_none(beating: Running) -> None:
    """Nor has one that has not begun: its status is not known yet."""
    assert ask(beating, 0.5, *[0.02] * 30) == EVENT * 31


def test_the_next_request_of_the_connection_is_clean(beating: Running) -> None:
    """What watches over a stream ends with it."""
    with beating.connect() as caller:
        for _ in range(2):
            caller.sendall(head("GET", "/?0,0.02"))
            assert read(caller).body == EVENT * 2
            time.sleep(0.3)
        caller.settimeout(0)
        with pytest.raises(BlockingIOError):
            caller.recv(1)


def test_a_caller_of_http_1_0_gets_none(beating: Running) -> None:
    """Its reply says its length."""
    answer = beating.ask(b"GET /?0,0.5 HTTP/1.0\r\nHost: x\r\n\r\n")
    assert answer.body == EVENT * 2


def test_without_a_heartbeat_there_is_none() -> None:
    """Nothing but the application's own chunks."""
    with running(App(None)) as server:
        assert ask(server, 0, 0.4) == EVENT * 2


def test_a_heartbeat_that_comes_with_a_chunk_gives_way() -> None:
    """The silence is over: what was due is dropped."""

    async def take() -> tuple[bytes, bool]:
        outbox = Outbox(asyncio.get_running_loop(), Arrival(), ready=list)
        outbox.head = Head(200, b"", heartbeat=(0.02, BEAT))
        outbox.watch()
        await asyncio.sleep(0.05)
        outbox.put(EVENT)
        try:
            return outbox.take()
        finally:
            outbox.finish()
            outbox.take()

    assert asyncio.run(take()) == (EVENT, False)

"""Each read and write on a connection looks at what is left of its exchange's time."""

from __future__ import annotations

from typing import Any

import httpcore
import pytest

from ai_gateway.upstream.wire import Network, Stream, Wire
from tests.clocks import Moved


class Socket(httpcore.NetworkStream):
    """Notes what it is asked; each write takes a second of ``clock``."""

    def __init__(self, clock: Moved, *, broken: bool = False) -> None:
        self.clock = clock
        self.broken = broken
        self.asked: list[tuple[str, int, float | None]] = []

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self.asked.append(("read", max_bytes, timeout))
        return b"x"

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.asked.append(("write", len(buffer), timeout))
        self.clock.sleep(1)
        if self.broken:
            raise httpcore.WriteError("gone")

    def close(self) -> None:
        self.asked.append(("close", 0, None))


@pytest.fixture
def clock() -> Moved:
    """A clock that stands at 100."""
    return Moved()


def stream(inner: Socket, deadline: float) -> Stream:
    """``inner`` in an exchange that ends at ``deadline``."""
    wire = Wire(Network(inner.clock))
    wire.begin(deadline)
    return Stream(wire, inner)


def test_small_writes_leave_together(clock: Moved) -> None:
    """Head and body of a small request leave in one packet, with the first read."""
    inner = Socket(clock)
    one = stream(inner, 110)
    one.write(b"head")
    one.write(b"body")
    assert inner.asked == []
    assert one.read(10, 60) == b"x"
    assert inner.asked == [("write", 8, 10.0), ("read", 10, 9.0)]


def test_the_first_byte_has_a_time_of_its_own(clock: Moved) -> None:
    """Until the first byte its own time holds; from then on what is left of the whole."""
    inner = Socket(clock)
    one = stream(inner, 110)
    one.read(1, 3)
    one.read(1, 3)
    assert inner.asked == [("read", 1, 3), ("read", 1, 10.0)]


def test_a_large_write_meets_the_deadline(clock: Moved) -> None:
    """A large body leaves in slices, each with what is left, until nothing is left."""
    inner = Socket(clock)
    with pytest.raises(httpcore.WriteTimeout):
        stream(inner, 102).write(b"x" * 1_000_000, 1.5)
    assert inner.asked == [("write", 65536, 1.5), ("write", 65536, 1.0)]


def test_a_read_after_the_deadline(clock: Moved) -> None:
    """No read is begun after the deadline."""
    inner = Socket(clock)
    with pytest.raises(httpcore.ReadTimeout):
        stream(inner, 100).read(1)
    assert inner.asked == []


def test_an_answer_counts_although_the_request_did_not_arrive(clock: Moved) -> None:
    """Where the server closed its ear before the end of the request, its answer is still read."""
    inner = Socket(clock, broken=True)
    one = stream(inner, 110)
    one.write(b"head")
    assert one.read(10) == b"x"


def test_a_late_address_is_not_connected_to(clock: Moved) -> None:
    """A resolution that used up the time to connect leaves none for the connection."""

    def resolve(_host: str, _port: int) -> list[str]:
        clock.sleep(6)
        return ["127.0.0.1"]

    wire = Wire(Network(clock, resolve))
    wire.begin(200)
    with pytest.raises(httpcore.ConnectTimeout):
        wire.connect_tcp("models.test", 9, 5)
    wire.close()


def test_without_limits_the_deadline_holds(clock: Moved, upstream: Any) -> None:
    """A connection for which nobody said a time to connect has until the deadline."""
    wire = Wire(Network(clock))
    wire.begin(105)
    wire.connect_tcp("127.0.0.1", upstream.port)
    wire.close()

"""HTTP/1.1 as the simulator speaks it: keep-alive, limits, callers that leave, many at once."""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from ai_gateway.simulator import Simulator
from ai_gateway.simulator.wire import MAX_BODY
from tests.simulator.conftest import Client

HEAD = (
    b"POST /namespaces/serving-default/endpoints/model-a/v1/chat/completions HTTP/1.1\r\n"
    b"host: x\r\nauthorization: Bearer x\r\n"
)
BODY = b'{"model":"simulated/model-a","messages":[{"role":"user","content":"What is DNA?"}]%b}'


def connection(simulator: Simulator) -> socket.socket:
    """A bare connection to the simulator."""
    host, _, port = simulator.url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def request(extra: bytes = b"", head: bytes = b"") -> bytes:
    """A completion request with more fields in its body and more header lines."""
    body = BODY % extra
    return HEAD + head + b"content-length: %d\r\n\r\n%b" % (len(body), body)


def read_to_end(peer: socket.socket) -> bytes:
    """All that comes until the simulator closes the connection."""
    return b"".join(iter(lambda: peer.recv(65536), b""))


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether ``holds`` becomes true within 5 seconds."""
    deadline = time.monotonic() + 5
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()


def test_a_connection_serves_many_requests(simulator: Simulator) -> None:
    """A connection is kept alive until its caller asks to close it."""
    with connection(simulator) as peer:
        peer.sendall(request() + request() + request(head=b"connection: close\r\n"))
        said = read_to_end(peer)
    assert said.count(b"HTTP/1.1 200 OK") == 3
    assert said.count(b"connection: close") == 1
    assert simulator.counts["model-a"] == 3


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (HEAD + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (HEAD + b"content-length: -1\r\n\r\n", b"400"),
        (HEAD + b"content-length: %d\r\n\r\n" % (MAX_BODY + 1), b"413"),
        (HEAD + b"x: y\r\n" * 200 + b"\r\n", b"431"),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET\r\n\r\n", b"400"),
    ],
)
def test_limits(simulator: Simulator, sent: bytes, status: bytes) -> None:
    """What is malformed or too large is refused in plain text, and the connection ends."""
    with connection(simulator) as peer:
        peer.sendall(sent)
        said = peer.recv(65536)
    assert said.startswith(b"HTTP/1.1 " + status)
    assert b"x-gateway-simulated: true" in said
    assert b"connection: close" in said


def test_a_body_cut_short_gets_no_answer(simulator: Simulator) -> None:
    """A caller that leaves in the middle of its body is not answered."""
    with connection(simulator) as peer:
        peer.sendall(request()[:-5])
        peer.shutdown(socket.SHUT_WR)
        assert read_to_end(peer) == b""
    assert not simulator.counts


def test_a_stream_to_http_1_0_ends_with_its_connection(simulator: Simulator) -> None:
    """HTTP/1.0 knows no chunks, so that the stream ends where the connection does."""
    with connection(simulator) as peer:
        peer.sendall(request(b',"stream":true').replace(b"HTTP/1.1", b"HTTP/1.0"))
        said = read_to_end(peer)
    assert b"transfer-encoding" not in said
    assert said.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("fault", [b"hang=30", b"latency=30", b"drip=0.02", b"slow-first-byte=30"])
def test_a_leaving_caller_is_noticed_and_counted(simulator: Simulator, fault: bytes) -> None:
    """While a reply waits or drips, its caller's leaving ends it at once, and is counted."""
    with connection(simulator) as peer:
        peer.sendall(request(head=b"x-simulate: %b\r\n" % fault))
        assert eventually(lambda: simulator.counts["model-a"] == 1)
        time.sleep(0.05)
    assert eventually(lambda: simulator.disconnects == {"model-a": 1})


def test_the_next_request_may_come_early(simulator: Simulator) -> None:
    """A request that is sent before the last reply has to wait its time too."""
    start = time.monotonic()
    with connection(simulator) as peer:
        peer.sendall(request(head=b"x-simulate: latency=0.2\r\n"))
        assert eventually(lambda: simulator.counts["model-a"] == 1)
        peer.sendall(request(head=b"connection: close\r\n"))
        said = read_to_end(peer)
    assert said.count(b"HTTP/1.1 200 OK") == 2
    assert time.monotonic() - start >= 0.2


def test_a_reset_connection_disturbs_nobody(simulator: Simulator, client: Client) -> None:
    """A caller that resets its connection leaves the others served."""
    with connection(simulator) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        peer.sendall(HEAD)
    assert client.ask("What is DNA?").status_code == 200


def test_stop_ends_open_connections_at_once(simulator: Simulator) -> None:
    """Stop does not wait for idle or hanging connections, and counts none of them as left."""
    with connection(simulator) as idle, connection(simulator) as hanging:
        idle.sendall(request())
        hanging.sendall(request(head=b"x-simulate: hang=60\r\n"))
        assert eventually(lambda: simulator.counts["model-a"] == 2)
        start = time.monotonic()
        simulator.stop()
        assert time.monotonic() - start < 2
        assert read_to_end(hanging) == b""
    assert not simulator.disconnects


def test_serve_forever_returns_after_stop() -> None:
    """In the foreground it serves until another thread stops it."""
    simulator = Simulator()
    thread = threading.Thread(target=simulator.serve_forever)
    thread.start()
    assert httpx.get(simulator.url, trust_env=False).status_code == 401
    simulator.stop()
    thread.join(5)
    assert not thread.is_alive()


def test_64_connections_at_once(simulator: Simulator) -> None:
    """64 callers with a connection each are all answered, and nothing is lost."""
    payload = request()
    barrier = threading.Barrier(64, timeout=10)

    def call(_: int) -> int:
        with connection(simulator) as peer:
            barrier.wait()
            peer.sendall(payload * 4 + request(head=b"connection: close\r\n"))
            return read_to_end(peer).count(b"HTTP/1.1 200 OK")

    with ThreadPoolExecutor(64) as pool:
        assert sum(pool.map(call, range(64))) == 64 * 5
    assert simulator.counts["model-a"] == 64 * 5

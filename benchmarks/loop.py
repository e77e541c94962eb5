"""CPU time of the server's own part of a request: one thread, no socket, with a profile on demand.

    python -m benchmarks.loop [--headers 7] [--calls 3000] [--profile 40]

Bytes in, a request parsed and given to a handler that answers at once, its reply framed and
written: what stands between a socket and the WSGI application that ``benchmarks.path`` measures.
System calls, and the way to a thread and back, come on top.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import uvloop
from uvicorn.server import ServerState

from ai_gateway.hosting import ServerOptions
from ai_gateway.hosting.bridge import Bridge
from ai_gateway.hosting.pool import ThreadPool
from ai_gateway.hosting.protocol import Config, Protocol

_ROUNDS = 9
_WARM = 300
_BODY = b"x" * 500
_ASKED = b"y" * 300
_REQUEST = b"\r\n".join(
    (
        b"POST /v1/chat/completions HTTP/1.1",
        b"host: 127.0.0.1:9900",
        b"content-type: application/json",
        b"authorization: Bearer a-key-for-this-run",
        b"accept: */*",
        b"user-agent: load",
        b"content-length: %d" % len(_ASKED),
        b"",
        _ASKED,
    )
)


class _Wire(asyncio.Transport):
    """A connection whose other end takes all there is."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 40000), "sockname": ("127.0.0.1", 9900)})
        self._sent = 0
        self.answered = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._sent += len(data)
        if self._sent > len(_BODY):
            self._sent = 0
            self.answered.set()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        """Nothing comes by itself."""

    def resume_reading(self) -> None:
        """The same."""


def _application(headers: int) -> Callable[..., list[bytes]]:
    """Answers with so many headers of its own."""
    own = [("content-length", str(len(_BODY))), ("content-type", "application/json")]
    own += [(f"x-gateway-{number}", "a value") for number in range(headers - len(own))]

    def answer(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        environ["wsgi.input"].read()
        start_response("200 OK", own)
        return [_BODY]

    return answer


def _in_place(_pool: ThreadPool, job: Callable[[], object]) -> bool:
    """Run a job where the pool would wake a thread."""
    job()
    return True


async def _measure(headers: int, calls: int, lines: int) -> None:
    options = ServerOptions()
    bridge = Bridge(_application(headers), options, lambda _: None)
    config = Config(bridge, options)
    config.load()
    wire = _Wire()
    protocol = Protocol(config, ServerState(), {}, asyncio.get_running_loop())
    protocol.connection_made(wire)

    async def many(count: int) -> None:
        for _ in range(count):
            protocol.data_received(_REQUEST)
            await wire.answered.wait()
            wire.answered.clear()

    await many(_WARM)
    found = []
    for _ in range(_ROUNDS):
        began = time.thread_time()
        await many(calls // _ROUNDS)
        found.append((time.thread_time() - began) / (calls // _ROUNDS) * 1e6)
    print(f"{headers} headers {min(found):6.1f} µs CPU/request")
    if lines:
        profiler = cProfile.Profile()
        profiler.enable()
        await many(1000)
        profiler.disable()
        pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(lines)


def main() -> None:
    """Measure a reply of so many headers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--headers", type=int, default=7, help="of the application's own")
    parser.add_argument("--calls", type=int, default=4500)
    parser.add_argument("--profile", type=int, default=0, help="lines")
    options = parser.parse_args()
    uvloop.install()
    with mock.patch.object(ThreadPool, "submit", _in_place):
        asyncio.run(_measure(options.headers, options.calls, options.profile))


if __name__ == "__main__":
    main()

"""The load on a gateway: many streams at once, each chunk's delay taken from what it says itself.

    python -m benchmarks.streams STREAMS ROUNDS   # a Question as JSON on stdin, figures on stdout

The upstream writes into each event when it sent it, on the same machine's clock, in milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

from benchmarks import source
from benchmarks.load import Question
from benchmarks.machine import LOAD, usage

_SENT = re.compile(rb'"sent": ?([0-9.]+)')
_LIMIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class StreamFigures:
    """CPU microseconds a chunk, milliseconds, megabytes.

    ``first_*`` is from the request to the first chunk, which the upstream sends at once;
    ``late_*`` from the upstream's sending of a chunk to its arrival, NaN where a gateway rewrites
    chunks so that they do not tell.
    """

    cpu: float
    first_p50: float
    first_p99: float
    late_p50: float
    late_p99: float
    memory: float
    errors: int
    chunks: int


def measure(root: int, asked: Question, streams: int, rounds: int) -> StreamFigures:
    """The figures of the tree ``root`` while ``streams`` are open, each ``rounds`` times."""
    _listen(asked, min(streams, 20), 1)
    before = usage(root)
    found = _listen(asked, streams, rounds)
    after = usage(root)
    late, first = found["late"], found["first"]
    return StreamFigures(
        cpu=(after.seconds - before.seconds) / max(1, found["chunks"]) * 1e6,
        first_p50=_share(first, 0.50),
        first_p99=_share(first, 0.99),
        late_p50=_share(late, 0.50),
        late_p99=_share(late, 0.99),
        memory=after.megabytes,
        errors=found["errors"],
        chunks=found["chunks"],
    )


def _share(values: Sequence[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))] if values else float("nan")


def _listen(asked: Question, streams: int, rounds: int) -> dict[str, Any]:
    command = ["taskset", "-c", str(LOAD), sys.executable, "-m", "benchmarks.streams"]
    done = subprocess.run(
        [*command, str(streams), str(rounds)],
        input=json.dumps(asdict(asked)),
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class _Listener(asyncio.Protocol):
    """One stream."""

    def __init__(self, request: bytes, ended: asyncio.Future[None], seen: _Seen) -> None:
        self._request = request
        self._ended = ended
        self._seen = seen
        self._rest = b""
        self._asked = 0.0
        self._chunks = 0
        self._whole = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._asked = time.time()
        transport.write(self._request)  # type: ignore[attr-defined]  # a stream's transport writes

    def data_received(self, data: bytes) -> None:
        now = time.time()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data: {"):
                self._chunk(line, now)
            elif line.startswith(b"data: [DONE]"):
                self._whole = True
                self._transport.close()

    def _chunk(self, line: bytes, now: float) -> None:
        if not self._chunks:
            self._seen.first.append((now - self._asked) * 1000)
        self._chunks += 1
        if sent := _SENT.search(line):
            self._seen.late.append((now - float(sent[1])) * 1000)

    def connection_lost(self, _: Exception | None) -> None:
        self._seen.chunks += self._chunks
        self._seen.errors += not self._whole or self._chunks < source.CHUNKS
        if not self._ended.done():
            self._ended.set_result(None)


class _Seen:
    def __init__(self) -> None:
        self.first: list[float] = []
        self.late: list[float] = []
        self.chunks = self.errors = 0


async def _all(asked: Question, streams: int, rounds: int) -> _Seen:
    seen, request = _Seen(), _request(asked)
    # Spread over a second: callers do not come in step.
    places = (index / streams for index in range(streams))
    await asyncio.gather(*(_one(asked, request, rounds, place, seen) for place in places))
    return seen


async def _one(asked: Question, request: bytes, rounds: int, place: float, seen: _Seen) -> None:
    loop, at = asyncio.get_running_loop(), urlsplit(asked.url)
    await asyncio.sleep(place)
    for _ in range(rounds):
        ended: asyncio.Future[None] = loop.create_future()
        listen = partial(_Listener, request, ended, seen)
        try:
            await loop.create_connection(listen, at.hostname or "", at.port or 80)
            await asyncio.wait_for(ended, _LIMIT_SECONDS)
        except (OSError, asyncio.TimeoutError):
            seen.errors += 1


def _request(asked: Question) -> bytes:
    at, body = urlsplit(asked.url), json.dumps(asked.body).encode()
    headers = {"host": at.netloc, **asked.headers, "content-length": str(len(body))}
    lines = [f"POST {at.path} HTTP/1.1", *(f"{name}: {headers[name]}" for name in headers)]
    return "\r\n".join([*lines, "", ""]).encode() + body


def main() -> None:
    """Open the streams that stdin asks for."""
    streams, rounds = map(int, sys.argv[1:3])
    asked = Question(**json.load(sys.stdin))
    seen = uvloop.run(_all(asked, streams, rounds))
    json.dump(vars(seen), sys.stdout)


if __name__ == "__main__":
    main()

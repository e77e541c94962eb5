"""CPU time of the request path alone: one thread, no server, with a profile on demand.

    python -m benchmarks.path [floor | bare | key | ... | all ...] [--calls 3000] [--profile 40]

The least of three runs of the WSGI application in this process, nginx behind it: a figure that
hardly moves on a busy machine, and shows a change of 2 %. The server, its threads and the move of
records into Parquet come on top.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count, repeat
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

import runner
from ai_gateway.clock import SystemClock
from ai_gateway.hosting import environ
from ai_gateway.hosting.arrival import Arrival
from ai_gateway.manifest.load import load
from ai_gateway.manifest.model import Model
from ai_gateway.service import Service
from ai_gateway.settings import Settings
from ai_gateway.upstream import Upstreams
from benchmarks import floor, source, subjects
from benchmarks.load import LETTERS, NUMBER, Question
from benchmarks.machine import GATEWAY
from benchmarks.subjects import PATH, PORT, VARIANTS

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_ROUNDS = 3
_WARM = 300


def application(name: str, folder: Path, origin: str) -> tuple[WSGIApplication, Question]:
    """The floor or a variant of the gateway, and how it is asked."""
    if name == "floor":
        model = Model(url=f"{origin}/v1", model_id="m")
        return floor.application(Upstreams(SystemClock(), {}), model), subjects.floor(
            folder, origin
        ).asked
    subject = subjects.gateway(folder, origin, VARIANTS[name])
    settings = Settings.read(folder / "bundle", subject.program.environment)
    bundle, problems = load(settings)
    if bundle is None:
        sys.exit("\n".join(map(str, problems)))
    service = Service(settings)
    service.current = service.snapshot(bundle)
    return runner.application(service.current), subject.asked


def calls(app: WSGIApplication, asked: Question) -> Callable[[], None]:
    """One request, from its bytes to the reply's."""
    before, after = orjson.dumps(asked.body).split(NUMBER.encode())
    letters = bytes.maketrans(b"0123456789", LETTERS.encode())
    length, numbers = len(before + after) + len(NUMBER), repeat(0) if asked.same else count()
    sent = {"host": f"127.0.0.1:{PORT}", "content-length": str(length), **asked.headers}
    headers = [(name.encode(), value.encode()) for name, value in sent.items()]

    def started(status: str, *_: object) -> Callable[[bytes], object]:
        if not status.startswith("200"):
            sys.exit(f"The answer is {status}.")
        return len

    def one() -> None:
        word = b"%08d" % next(numbers)
        body = b"".join((before, word.translate(letters), after))
        arrival = Arrival()
        arrival.complete = True
        scope = {
            "client": ("127.0.0.1", 40000),
            "server": ("127.0.0.1", PORT),
            "scheme": "http",
            "method": "POST",
            "raw_path": PATH.encode(),
            "query_string": b"",
            "http_version": "1.1",
            "headers": headers,
            "gateway.arrival": arrival,
        }
        b"".join(app(environ.build(scope, body, time.monotonic()), started))

    return one


def measure(one: Callable[[], None], count: int) -> float:
    """CPU microseconds a call, the least of three runs."""
    found = []
    for _ in range(_ROUNDS):
        began = time.thread_time()
        for _ in range(count // _ROUNDS):
            one()
        found.append((time.thread_time() - began) / (count // _ROUNDS) * 1e6)
    return min(found)


def profile(one: Callable[[], None], lines: int) -> None:
    """Print where the time goes."""
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(1000):
        one()
    profiler.disable()
    pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(lines)


def main() -> None:
    """Measure what is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("names", nargs="*", default=["floor", "bare", "all"])
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--profile", type=int, default=0, help="lines")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, source.started(Path(folder)) as origin:
        os.sched_setaffinity(0, {GATEWAY})
        for name in options.names:
            place = Path(folder) / name
            place.mkdir()
            one = calls(*application(name, place, origin))
            for _ in range(_WARM):
                one()
            print(f"{name:10} {measure(one, options.calls):6.0f} µs CPU/request", flush=True)
            if options.profile:
                profile(one, options.profile)
    os._exit(0)  # the records of this run are nobody's


if __name__ == "__main__":
    main()

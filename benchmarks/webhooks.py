"""What webhooks cost: CPU of whoever tells, and how many events a second one route delivers.

    python -m benchmarks.webhooks

Telling is CPU microseconds in one thread, the least of seven runs; delivering is to a receiver on
loopback in another process, which answers 204 at once.
"""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from ai_gateway.answer.record import Attempt, Decision
from ai_gateway.chance import SystemChance
from ai_gateway.clock import SystemClock
from ai_gateway.contract import Caller, Event
from ai_gateway.formats import Usage
from ai_gateway.manifest.model import Manifest, Route
from ai_gateway.metrics import Metrics
from ai_gateway.records import Records
from ai_gateway.webhooks.hooks import Webhooks
from ai_gateway.webhooks.receivers import receivers

_ROUNDS = 7
_EVENTS = 1000
_SECRET = base64.b64encode(Random(1).randbytes(32)).decode()
_CALLER = Caller("admin", "api-key")
_RECEIVER = """
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    line, _ = server.accept()
    while data := line.recv(65536):
        line.sendall(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
"""


def decision(number: int) -> Decision:
    """A request that a model answered."""
    event = Event(f"{number:032x}", Route(path="/x", name="x"), "POST", "/x", 0.0, caller=_CALLER)
    return Decision(
        event,
        served="model-a",
        usage=Usage(7, 5, raw={"prompt_tokens": 7}),
        attempts=[Attempt("model-a", status=200)],
    )


def telling(folder: Path) -> None:
    """Print what one request's event costs the request."""
    found = []
    for number in range(_ROUNDS):
        hooks, _ = made(folder / str(number), "http://127.0.0.1:9/", threads=0)
        told = [decision(each) for each in range(_EVENTS)]
        began = time.thread_time()
        for each in told:
            hooks.decided(each)
        found.append((time.thread_time() - began) / _EVENTS * 1e6)
        hooks.close(drain=0.0)
    print(f"to tell of a request      {min(found):6.1f} µs of CPU")


def delivering(folder: Path) -> None:
    """Print how fast one route's events are taken, one after another."""
    command = [sys.executable, "-c", _RECEIVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as receiver:
        port = receiver.stdout.readline().strip() if receiver.stdout else ""
        hooks, metrics = made(folder / "sent", f"http://127.0.0.1:{port}/", threads=8)
        began = time.monotonic()
        for number in range(_EVENTS):
            hooks.decided(decision(number))
        while metrics.registry.get_sample_value(
            "ai_gateway_webhook_events_total", {"callback": "(bundle)", "outcome": "delivered"}
        ) != float(_EVENTS):
            time.sleep(0.01)
        seconds = time.monotonic() - began
        hooks.close()
        receiver.terminate()
    print(f"to deliver, one route     {_EVENTS / seconds:6.0f} events a second")


def made(folder: Path, url: str, threads: int) -> tuple[Webhooks, Metrics]:
    """Webhooks with one callback."""
    clock, metrics = SystemClock(), Metrics()
    records = Records.open(str(folder / "data"), folder / "wal", clock, background=False)
    hooks = Webhooks(
        folder / "wal",
        environment={},
        records=records,
        clock=clock,
        random=SystemChance(),
        metrics=metrics,
        threads=threads,
    )
    manifest = Manifest.model_validate({"allowed_hosts": ["127.0.0.1"], "callback": url})
    hooks.adopt(receivers(manifest, [_SECRET]))
    return hooks, metrics


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as found:
        telling(Path(found))
        delivering(Path(found))

"""Are limits and budgets exact over processes, and what do they cost a request?

Usage: python -m benchmarks.limits [--requests 10000] [--limit 1000] [--streams 200]

Starts a redis-server, the stand-in Inference Service and one gateway of four processes, and prints

- how many of so many requests, all on connections of their own and sent at once, passed a limit;
- what streams cost together that were begun at once, in waves until a budget of 10.00 refused all
  of a wave, by the records;
- the CPU time that a key, a limit and a budget take of a request in memory, best of five runs, and
  that of a gateway without limits beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from ai_gateway.access.identity import Identity
from ai_gateway.answer.call import Call
from ai_gateway.answer.places import places
from ai_gateway.answer.record import Attempt, Decision
from ai_gateway.clock import SystemClock
from ai_gateway.contract import Event
from ai_gateway.cost.charge import charge
from ai_gateway.cost.prices import Library
from ai_gateway.formats import Usage
from ai_gateway.limits.engine import MEMORY, Limits
from ai_gateway.limits.gate import Gate
from ai_gateway.manifest.model import Manifest
from ai_gateway.metrics import Metrics
from ai_gateway.records import Records
from ai_gateway.settings import Settings
from ai_gateway.simulator import Simulator, variables

ROOT = Path(__file__).parents[1]
KEY = "a-key-for-this-run"
RUNS, CALLS = 5, 5000
MODEL = """
version: 1
models:
  m:
    url: ${MODEL_A_URL}
    model_id: ${MODEL_A_ID}
    credentials: {token: "${MODEL_A_TOKEN}"}
    price: {input: 100, output: 1000}
    max_output_tokens: 400
routes:
  - {path: /limited, function: "functions.v1.chat_completions:handle", auth: api-key}
  - {path: /paid, function: "functions.v1.chat_completions:handle", auth: api-key}
"""
LIMITS = """
limits:
  - {name: many, per: key, match: {routes: limited}, requests: LIMIT/hour}
budgets:
  - {name: ten, per: tenant, match: {routes: paid}, amount: 10, window: month}
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def redis() -> Iterator[str]:
    """The address of a redis-server of this run's own."""
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("There is no redis-server here.")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


@contextmanager
def gateway(folder: Path, limit: int, state: str, simulator: str) -> Iterator[str]:
    """The URL of one gateway of four processes."""
    bundle = folder / "bundle"
    (bundle / "policies").mkdir(parents=True)
    text = MODEL + LIMITS.replace("LIMIT", str(limit))
    (bundle / "routes.yaml").write_text(text, encoding="utf-8")
    environment = {
        **Settings.read().variables,
        **variables(simulator),
        "AI_GATEWAY_API_KEY": KEY,
        "GATEWAY_DATA": str(folder / "data"),
        "GATEWAY_STATE": state,
    }
    command = [sys.executable, "runner.py", "serve", "--workers", "4", "--port", "0"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--bundle", str(bundle)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        found = re.search(r"http://\S+", process.stdout.readline() if process.stdout else "")
        if not found:
            raise SystemExit((folder / "log").read_text(encoding="utf-8"))
        yield found[0]
    finally:
        process.terminate()
        process.wait()


class Crowd:
    """Callers who connect one after another and then all send at once."""

    def __init__(self, url: str, path: str, body: dict[str, Any], gate: asyncio.Event) -> None:
        self._host, port = url.removeprefix("http://").rstrip("/").split(":")
        self._port, self._gate = int(port), gate
        data = json.dumps({"messages": [{"role": "user", "content": "Hi?"}], **body}).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: gateway\r\nx-api-key: {KEY}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(data)}\r\n"
        self._request = f"{head}connection: close\r\n\r\n".encode() + data

    async def one(self, ready: asyncio.Semaphore) -> int:
        """The status of one caller's answer, all of which was read."""
        async with ready:
            reader, writer = await asyncio.open_connection(self._host, self._port)
        await self._gate.wait()
        writer.write(self._request)
        answer = await reader.read()
        writer.close()
        return int(answer.split(b" ", 2)[1]) if answer else 0


async def crowd(url: str, path: str, count: int, body: dict[str, Any]) -> Counter[int]:
    """How often each status was answered to ``count`` requests that were sent at once."""
    gate, ready = asyncio.Event(), asyncio.Semaphore(200)
    callers = Crowd(url, path, body, gate)
    asked = [asyncio.ensure_future(callers.one(ready)) for _ in range(count)]
    await asyncio.sleep(3 + count / 2000)  # connections stay for 10 s without a request
    gate.set()
    return Counter(await asyncio.gather(*asked))


def passing(url: str, requests: int) -> None:
    """Print how many passed."""
    began = time.perf_counter()
    found = asyncio.run(crowd(url, "/limited", requests, {}))
    seconds = time.perf_counter() - began
    print(f"{requests} requests at once, by status: {dict(sorted(found.items()))}")
    print(f"  passed: {found[200]} (in {seconds:.1f} s, to connect included)", flush=True)


def spending(url: str, streams: int, folder: Path) -> None:
    """Print what waves of streams cost."""
    passed = waves = 0
    while True:
        found = asyncio.run(crowd(url, "/paid", streams, {"stream": True}))
        waves, passed = waves + 1, passed + found[200]
        if not found[200]:
            break
    time.sleep(6)  # what workers recorded is moved
    data = str(folder / "data")
    with Records.open(data, folder / "wal", SystemClock(), background=False) as records:
        costs = records.scan("requests", ["cost", "route"], where=[("route", "==", "paid")])
    total = sum(cost or 0 for cost in costs["cost"].to_pylist())
    print(f"{waves} waves of {streams} streams at once: {passed} passed, the rest {dict(found)}")
    print(f"  they cost {total:.4f} of 10.00", flush=True)


def microseconds(limits: str) -> float:
    """CPU time of a key and of what else is declared, a request that is settled."""
    text: dict[str, Any] = {
        "models": {
            "m": {
                "url": "http://m/v1",
                "model_id": "m",
                "max_output_tokens": 400,
                "price": {"input": 1, "output": 4},
            }
        },
        "routes": [
            {"path": "/a", "function": "functions.v1.chat_completions:handle", "auth": "api-key"}
        ],
    }
    if limits:
        text["limits"] = [{"per": "key", "requests": "1000000000/min"}]
        text["budgets"] = [{"name": "b", "per": "key", "amount": 1_000_000, "window": "month"}]
    manifest, clock, metrics = Manifest.model_validate(text), SystemClock(), Metrics()
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder) / "data")
        with Records.open(data, Path(folder) / "wal", clock, background=False) as records:
            engine = Limits.of(MEMORY, clock, records, metrics)
            nobody: Any = SimpleNamespace(models=lambda: ())
            gate = Gate(manifest, places(manifest.models), nobody, Library(clock), engine)
            engine.prepare()
            time.sleep(1)
            return min(_run(manifest, gate) for _ in range(RUNS))


def _run(manifest: Manifest, gate: Gate) -> float:
    identity = Identity.of(Settings(admin_key=KEY), loopback=True)
    route, clock, random = manifest.routes[0], SystemClock(), Random(1)
    price, usage = manifest.models["m"].price, Usage(50, 100)
    body = {"model": "m", "messages": [{"role": "user", "content": "x" * 200}]}
    headers = {"x-api-key": KEY, "content-type": "application/json"}
    paid = charge(usage, price, None)
    spent = 0.0
    for _ in range(CALLS):
        event = Event(f"{random.random()}", route, "POST", "/a", clock.now(), 0.0, headers=headers)
        call, decision = Call(event, "chat", body, model="m"), Decision(event, "chat")
        decision.served, decision.usage, decision.charge = "m", usage, paid
        decision.attempts.append(Attempt("m", "m/v1", 200))
        began = time.process_time()
        identity.caller(route, "POST", headers)
        gate.arrive(event)
        gate.reserve(call, decision)
        if decision.hold:
            decision.hold.settle(decision)
        gate.headers(event, 0.0)
        spent += time.process_time() - began
    return spent / CALLS * 1e6


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--streams", type=int, default=200)
    options = parser.parse_args()
    bare, full = microseconds(""), microseconds("all")
    print(f"a key alone {bare:.1f} us, a key, a limit and a budget {full:.1f} us", flush=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        Simulator().start() as simulator,
        redis() as state,
        gateway(Path(folder), options.limit, state, simulator.url) as url,
    ):
        time.sleep(8)  # budgets of an empty Redis are counted first
        passing(url, options.requests)
        spending(url, options.streams, Path(folder))


if __name__ == "__main__":
    main()

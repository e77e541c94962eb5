"""The load on a gateway: wrk for whole answers."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import LOAD, Usage, usage

#: A prompt of 200 characters.
PROMPT = (
    "What is a finite state machine? Explain it in three sentences that a student can follow, "
    "with one example from daily life, such as a door, a lift or the lights at a crossing. "
    "Then name its usual limit."
)
_SCRIPT = """
wrk.method = "POST"
wrk.body = [==[%s]==]
%s
function done(summary, latency, requests)
  local lost = summary.errors
  io.write(string.format('FIGURES {"seconds": %%f, "requests": %%d, "p50": %%f, "p95": %%f,' ..
    ' "p99": %%f, "errors": %%d}\\n',
    summary.duration / 1e6, summary.requests, latency:percentile(50) / 1e3,
    latency:percentile(95) / 1e3, latency:percentile(99) / 1e3,
    lost.connect + lost.read + lost.write + lost.status + lost.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a gateway: its URL, headers and body."""

    url: str
    headers: Mapping[str, str]
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one load: CPU microseconds a request, requests a second, milliseconds, megabytes."""

    cpu: float
    rate: float
    p50: float
    p95: float
    p99: float
    memory: float
    errors: int
    requests: int


def question(url: str, headers: Mapping[str, str], **more: object) -> Question:
    """A chat completion of the usual prompt."""
    messages = [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": PROMPT},
    ]
    body = {"model": "model-a", "messages": messages, "temperature": 0.2, "max_tokens": 256}
    return Question(url, {"content-type": "application/json", **headers}, {**body, **more})


def measure(root: int, asked: Question, connections: int, seconds: float) -> Figures:
    """The figures of the process tree ``root`` under load, after a warm-up of a third of it."""
    wrk(asked, connections, max(2.0, seconds / 3))
    before = usage(root)
    found = wrk(asked, connections, seconds)
    return _figures(before, usage(root), found)


def _figures(before: Usage, after: Usage, found: dict[str, float]) -> Figures:
    served = int(found["requests"]) or 1
    return Figures(
        cpu=(after.seconds - before.seconds) / served * 1e6,
        rate=found["requests"] / found["seconds"],
        p50=found["p50"],
        p95=found["p95"],
        p99=found["p99"],
        memory=after.megabytes,
        errors=int(found["errors"]),
        requests=int(found["requests"]),
    )


def wrk(asked: Question, connections: int, seconds: float) -> dict[str, float]:
    """What wrk counted."""
    headers = "\n".join(
        f'wrk.headers["{name}"] = "{asked.headers[name]}"' for name in asked.headers
    )
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        script.write_text(_SCRIPT % (json.dumps(asked.body), headers), encoding="utf-8")
        command = ["taskset", "-c", str(LOAD), "wrk", "-t1", f"-c{connections}"]
        command += [f"-d{seconds:.0f}", "--timeout", "20", "-s", str(script), asked.url]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    line = next(line for line in said.splitlines() if line.startswith("FIGURES "))
    found: dict[str, float] = json.loads(line.removeprefix("FIGURES "))
    return found

"""The load on a gateway: wrk for whole answers."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import LOAD, Usage, usage

#: Letters for digits: where a prompt has its number. No question comes twice, since gateways
#: remember; a number as such would set off what looks for cards and telephones.
LETTERS = "abcdefghij"
NUMBER = LETTERS[0] * 8
#: A prompt of 200 characters.
PROMPT = (
    "What is a finite state machine? Explain it in three sentences that a student can follow, "
    "with one example from daily life, such as a door, a lift or the lights at a crossing. "
    f"Name a {NUMBER}, too."
)
_SCRIPT = """
wrk.method = "POST"
local before, number, after, step = [==[%s]==], %d, [==[%s]==], %d
local letters = {%s}
%s
function request()
  number = number + step
  local word = string.format("%%08d", number):gsub("%%d", letters)
  return wrk.format(nil, nil, nil, before .. word .. after)
end
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
    """What is asked of a gateway: its URL, headers and body, with another number each time."""

    url: str
    headers: Mapping[str, str]
    body: Mapping[str, object]
    #: The same again and again, for what answers out of a cache.
    same: bool = False


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


def question(
    url: str, headers: Mapping[str, str], *, same: bool = False, **more: object
) -> Question:
    """A chat completion of the usual prompt."""
    messages = [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": PROMPT},
    ]
    body = {"model": "model-a", "messages": messages, "temperature": 0.2, "max_tokens": 256}
    return Question(url, {"content-type": "application/json", **headers}, {**body, **more}, same)


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
        before, after = json.dumps(asked.body).split(NUMBER)
        first, step = int(time.time() * 100) % 10**8, int(not asked.same)
        letters = ", ".join(f'["{digit}"] = "{letter}"' for digit, letter in enumerate(LETTERS))
        text = _SCRIPT % (before, 0 if asked.same else first, after, step, letters, headers)
        script.write_text(text, encoding="utf-8")
        command = ["taskset", "-c", str(LOAD), "wrk", "-t1", f"-c{connections}"]
        command += [f"-d{seconds:.0f}", "--timeout", "20", "-s", str(script), asked.url]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    line = next(line for line in said.splitlines() if line.startswith("FIGURES "))
    found: dict[str, float] = json.loads(line.removeprefix("FIGURES "))
    return found

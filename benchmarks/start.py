"""How soon `serve` answers, and what memory it takes: idle, and after its first records.

Usage: python -m benchmarks.start [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEY = "a-key-for-this-run"
URL = "http://127.0.0.1:18099"


def resident(pid: int) -> float:
    """Megabytes of memory that process ``pid`` holds."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1000


def ask(path: str, body: bytes | None = None) -> None:
    """One request, which must be answered."""
    request = urllib.request.Request(URL + path, body, {"X-API-Key": KEY})
    with urllib.request.urlopen(request, timeout=10) as reply:
        reply.read()


def one_round(environment: dict[str, str]) -> tuple[float, float, float]:
    """Seconds to the first answer; MB a second later, and MB after a record was moved."""
    started = time.perf_counter()
    command = [sys.executable, "runner.py", "serve", "--simulate", "--port", "18099"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                ask("/ping")
                break
            except urllib.error.URLError:
                time.sleep(0.005)
        first = time.perf_counter() - started
        time.sleep(1)
        idle = resident(process.pid)
        ask("/inference", json.dumps({"inputs": "What is GRPO?"}).encode())
        time.sleep(6)
        return first, idle, resident(process.pid)
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Print each round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            environment = {
                **os.environ,  # noqa: TID251 - a program of its own
                "AI_GATEWAY_API_KEY": KEY,
                "GATEWAY_DATA": folder,
            }
            first, idle, moved = one_round(environment)
            print(f"first answer {first:.2f} s, idle {idle:.0f} MB, after a record {moved:.0f} MB")


if __name__ == "__main__":
    main()

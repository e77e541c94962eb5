"""Kill -9 under load, again and again: is every answered request recorded, and none twice?

Usage: python -m benchmarks.crash [--rounds 20] [--connections 32]

Each round starts a gateway on the same records, loads it, kills it at a random moment and notes
every request that had been answered. Then the judge is killed half way in each of as many rounds,
and at the end every answer must have one score.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import httpx

from ai_gateway.clock import SystemClock
from ai_gateway.records import Records, to_rows
from ai_gateway.records.keyring import Keyring
from ai_gateway.settings import Settings
from ai_gateway.simulator import Simulator, variables

ROOT = Path(__file__).parents[1]
KEY = "a-key-for-this-run"


def runner(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """``runner.py`` with ``arguments``, in a process of its own."""
    command = [sys.executable, "runner.py", *arguments]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def load(url: str, answered: list[str], stop: threading.Event) -> None:
    """One connection: ask, note what was answered, until the gateway is gone."""
    with httpx.Client(base_url=url, headers={"X-API-Key": KEY}, timeout=10) as client:
        while not stop.is_set():
            try:
                reply = client.post("/inference", json={"inputs": "What is GRPO?"})
            except httpx.HTTPError:
                return
            answered.append(reply.headers["x-request-id"])


def one_round(environment: dict[str, str], connections: int) -> list[str]:
    """The ids that were answered before a gateway was killed."""
    gateway = runner(environment, "serve", "--port", "0")
    found = re.search(r"http://\S+", gateway.stdout.readline() if gateway.stdout else "")
    if not found:
        raise SystemExit("The gateway did not start.")
    answered: list[str] = []
    stop = threading.Event()
    threads = [
        threading.Thread(target=load, args=(found[0], answered, stop)) for _ in range(connections)
    ]
    for thread in threads:
        thread.start()
    time.sleep(random.uniform(0.3, 7.0))
    gateway.send_signal(signal.SIGKILL)
    stop.set()
    for thread in threads:
        thread.join()
    gateway.communicate()
    return answered


def recorded(environment: dict[str, str], table: str) -> list[dict[str, object]]:
    """Every row of ``table``, once the dead processes' write-ahead files are moved."""
    data, wal = environment["GATEWAY_DATA"], Path(environment["GATEWAY_WAL"])
    keyring = Keyring.of(Settings.read(environment=environment).encryption)
    with Records.open(data, wal, SystemClock(), background=False, keyring=keyring) as records:
        records.flush()
        found: list[dict[str, object]] = to_rows(records.scan(table))  # type: ignore[arg-type] # a table's name
    return found


def kill_judges(environment: dict[str, str], rounds: int) -> None:
    """Ticks that are killed half way, then one that ends."""
    for _ in range(rounds):
        judge = runner(environment, "job", "judge-tick")
        time.sleep(random.uniform(0.5, 2.5))
        judge.send_signal(signal.SIGKILL)
        judge.communicate()
    pending = True
    while pending:
        output, _ = runner(environment, "job", "judge-tick").communicate()
        done = json.loads(output.splitlines()[-1])
        pending = bool(done["judged"] or done["pending"])


def main() -> None:
    """Both kinds of rounds, and what was lost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Simulator().start() as simulator:
        environment = {
            **os.environ,  # noqa: TID251 - a program of its own
            **variables(simulator.url),
            "AI_GATEWAY_API_KEY": KEY,
            "GATEWAY_DATA": f"{folder}/data",
            "GATEWAY_WAL": f"{folder}/wal",
        }
        answered = [
            request_id
            for _ in range(options.rounds)
            for request_id in one_round(environment, options.connections)
        ]
        rows = [row for row in recorded(environment, "requests") if row["surface"] == "inference"]
        ids = Counter(row["request_id"] for row in rows)
        print(f"gateway: {options.rounds} kills, {len(answered)} answered, {len(ids)} recorded")
        print(f"  lost {len(set(answered) - set(ids))}, twice {sum(n > 1 for n in ids.values())}")
        kill_judges(environment, options.rounds)
        scored = Counter(
            row["request_id"]
            for row in recorded(environment, "scores")
            if row["outcome"] == "scored"
        )
        forgotten = {row["request_id"] for row in rows if row["status"] == httpx.codes.OK} - set(
            scored
        )
        print(f"judge: {options.rounds} kills, {len(scored)} answers scored")
        print(f"  forgotten {len(forgotten)}, twice {sum(n > 1 for n in scored.values())}")


if __name__ == "__main__":
    main()

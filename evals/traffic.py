"""Real questions through a real gateway on the stand-in: answered, refused, failed, judged.

Usage: python -m evals.traffic DATA_DIR [--concurrency 16] [--slice 150] [--keep DIR]

DATA_DIR holds `mt_bench_questions.jsonl` (MT-Bench, lm-sys/FastChat, Apache-2.0: 80 questions of
two turns) and `do_not_answer_en.csv` (Do-Not-Answer, Libr-AI, Apache-2.0: 939 requests). Each is
one request to /inference; then the judge ticks until every answer has a score. The texts are sent
to the stand-in alone, and nothing is done with them.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from ai_gateway.clock import SystemClock
from ai_gateway.records import Records, to_rows
from ai_gateway.simulator import Simulator, variables

ROOT = Path(__file__).parents[1]
#: Ticks that a slice may take until all of it is judged.
PATIENCE = 60


def questions(folder: Path) -> dict[str, list[str]]:
    """Every request of both sets, by set."""
    with (folder / "mt_bench_questions.jsonl").open(encoding="utf-8") as lines:
        turns = [turn for line in lines for turn in json.loads(line)["turns"]]
    with (folder / "do_not_answer_en.csv").open(encoding="utf-8", newline="") as rows:
        requests = [row["question"] for row in csv.DictReader(rows)]
    return {"mt_bench": turns, "do_not_answer": requests}


@contextmanager
def serving(environment: dict[str, str]) -> Iterator[str]:
    """The URL of a gateway that runs while the block does."""
    command = [sys.executable, "runner.py", "serve", "--port", "0"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        found = re.search(r"http://\S+", line)
        if not found:
            raise SystemExit("The gateway did not start.")
        yield found[0]
    finally:
        process.terminate()
        process.wait(60)


def outcome(client: httpx.Client, text: str) -> str:
    """What came of one request: answered, refused, or the error."""
    reply = client.post("/inference", json={"inputs": text})
    if reply.status_code == httpx.codes.OK:
        return "answered"
    code = reply.json()["error"]["code"]
    return "refused" if code == "policy_violation" else f"failed: {reply.status_code} {code}"


def send(url: str, key: str, texts: list[str], concurrency: int) -> Counter[str]:
    """All of ``texts``, so many at a time."""
    limits = httpx.Limits(max_connections=concurrency)
    headers = {"X-API-Key": key}
    with (
        httpx.Client(base_url=url, headers=headers, limits=limits, timeout=60) as client,
        ThreadPoolExecutor(concurrency) as pool,
    ):
        return Counter(pool.map(lambda text: outcome(client, text), texts))


def tick(environment: dict[str, str]) -> dict[str, object]:
    """One tick of the judge, in a process of its own as on a schedule."""
    command = [sys.executable, "runner.py", "job", "judge-tick"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    summary: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return summary


def slices(texts: list[str], size: int) -> Iterator[list[str]]:
    """``texts`` in parts of ``size``, so that the judge's scores move the routing in between."""
    for start in range(0, len(texts), size):
        yield texts[start : start + size]


def judge(environment: dict[str, str], answered: int, data: str) -> None:
    """Tick until every answer so far has a score; a record is readable 5 s after its answer."""
    judged = 0
    for _ in range(PATIENCE):
        tick(environment)
        with reading(data) as records:
            judged = len(records.scan("scores", ["score_id"], where=[("outcome", "==", "scored")]))
        if judged >= answered:
            return
        time.sleep(1)
    raise SystemExit(f"Only {judged} of {answered} answers were judged.")


@contextmanager
def reading(data: str) -> Iterator[Records]:
    """The records, for looking only."""
    with (
        tempfile.TemporaryDirectory() as wal,
        Records.open(data, Path(wal), SystemClock(), background=False) as records,
    ):
        yield records


def report(data: str) -> None:
    """What the records say: refusals by rule, models, scores, and where the weights went."""
    with reading(data) as records:
        rows = to_rows(records.scan("requests", where=[("surface", "!=", "judge")]))
        scores = to_rows(records.scan("scores"))
        weights = to_rows(records.scan("weights"))
    rules = Counter(
        f"{found['check']}: {found['rule']}"
        for row in rows
        if row["error"] == "policy_violation"
        for found in row["verdicts"]
        if found["action"] == "block"
    )
    print("records:", len(rows), "requests,", len({row["request_id"] for row in rows}), "ids")
    print("refused by rule:", dict(rules.most_common()))
    print(
        "served by:",
        dict(Counter(row["served"] for row in rows if row["status"] == httpx.codes.OK)),
    )
    print("scores:", dict(Counter(row["outcome"] for row in scores)))
    for row in sorted(weights, key=lambda row: (row["published_at"], row["model"])):
        low, high = row["score_low"], row["score_high"]
        print(
            f"  {row['model']} {row['score']:.3f} ({low:.3f} to {high:.3f}),"
            f" {row['samples']} answers"
        )


def main() -> None:
    """Send, judge, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--slice", type=int, default=150, help="requests between two ticks")
    parser.add_argument("--keep", type=Path, help="keep the records in this folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, Simulator().start() as simulator:
        folder = Path(temporary)
        data = str(options.keep or folder / "data")
        key = secrets.token_urlsafe(24)
        environment = {
            **os.environ,  # noqa: TID251 - a program of its own
            **variables(simulator.url),
            "AI_GATEWAY_API_KEY": key,
            "GATEWAY_DATA": data,
        }
        with serving(environment) as url:
            total: Counter[str] = Counter()
            for name, texts in questions(options.data_dir).items():
                found: Counter[str] = Counter()
                for texts_now in slices(texts, options.slice):
                    found += send(url, key, texts_now, options.concurrency)
                    judge(environment, answered=total["answered"] + found["answered"], data=data)
                print(f"{name}: {len(texts)} requests: {dict(found)}")
                total += found
        report(data)


if __name__ == "__main__":
    main()

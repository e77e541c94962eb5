"""What records cost: ``python -m benchmarks.records --rows 1000000``.

Makes synthetic records (English-like inputs of about 200 characters, outputs of about 800) over
seven days in a temporary folder, and prints what appending, moving, a judge's search, the
dashboard's queries, that of service levels and compaction take. ``--kills N`` kills a writer N
times and looks for what it had acknowledged. With ``GATEWAY_ENCRYPTION_KEY`` set all of it is
encrypted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from ai_gateway.clock import SystemClock
from ai_gateway.records import Records
from ai_gateway.records.keyring import Keyring
from ai_gateway.settings import Settings

DAY = 86_400
#: Rows of a segment: what a busy gateway moves at once.
_SEGMENT = 5000
PROMPT = "answer-quality.v1"
MODELS = ("model-a", "model-b")
#: What a judge reads of an answer.
JUDGED = ("request_id", "received_at", "tenant", "served", "input", "output")


class Synthetic:
    """Rows that look like a gateway's, from a fixed seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        letters = "etaoinshrdlcumwfgypbvk"
        self._words = [
            "".join(self._random.choices(letters, k=self._random.randint(2, 10)))
            for _ in range(20_000)
        ]

    def text(self, characters: int) -> str:
        """Words, drawn as unevenly as in English, of about that many characters."""
        count = characters // 7
        ranks = (int(20_000 ** self._random.random()) - 1 for _ in range(count))
        return " ".join(self._words[rank] for rank in ranks)

    def request(self, received_at: float) -> dict[str, Any]:
        """A row of ``requests``: 6 % are refused by a guardrail, 2 % fail, the rest is answered."""
        random = self._random
        fate = random.random()
        status = 403 if fate < 0.06 else 502 if fate < 0.08 else 200
        model = random.choice(MODELS)
        question = self.text(200)
        blocked = [_block()] if status == 403 else []
        return {
            "schema_version": 1,
            "request_id": f"{random.getrandbits(128):032x}",
            "received_at": round(received_at * 1e6),
            "route": "inference",
            "surface": "inference",
            "method": "POST",
            "path": "/inference",
            "tenant": "default",
            "key_id": "administrator",
            "privacy": "full",
            "input": question,
            "request": json.dumps({"inputs": question}),
            "output": self.text(800) if status == 200 else None,
            "response_digest": f"{random.getrandbits(256):064x}",
            "policies": ["bombs", "credit-cards", "drugs", "terrorism"],
            "verdicts": blocked,
            "manifest_hash": "a" * 64,
            "policies_hash": "b" * 64,
            "selection": "guardrail" if blocked else "policy",
            "routing": "highest-score",
            "explore": 0.1,
            "candidates": [_candidate(name, random.random()) for name in MODELS],
            "chosen": None if blocked else model,
            "propensity": None if blocked else 0.5,
            "seed": random.getrandbits(53),
            "served": model if status == 200 else None,
            "attempts": [{"model": model, "status": status, "latency_ms": 500.5}],
            "input_tokens": 45,
            "output_tokens": 180 if status == 200 else 0,
            "usage": '{"prompt_tokens":45,"completion_tokens":180}',
            "cost": random.random() / 100,
            "latency_ms": random.lognormvariate(6, 1),
            "overhead_ms": random.random() * 2,
            "finish_reason": "stop" if status == 200 else None,
            "status": status,
            "simulated": False,
            "gateway_version": "0.1.0",
        }

    def score(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row of ``scores`` for an answered request."""
        judged_at = row["received_at"] + 60_000_000
        return {
            "schema_version": 1,
            "score_id": f"{row['request_id']}/{PROMPT}/1",
            "request_id": row["request_id"],
            "requested_at": row["received_at"],
            "judged_at": judged_at,
            "tick_id": f"{judged_at // 300_000_000}",
            "tenant": "default",
            "model": row["served"],
            "judge": "judge",
            "prompt": PROMPT,
            "attempt": 1,
            "outcome": "scored",
            "score": self._random.random(),
            "reason": self.text(80),
            "selection_probability": 1.0,
        }


def _block() -> dict[str, Any]:
    found = {"policy": "bombs", "check": "topic", "rule": "bomb-making", "stage": "input"}
    return {**found, "action": "block", "mode": "enforce", "score": 1.0, "start": 0, "end": 9}


def _candidate(model: str, score: float) -> dict[str, Any]:
    return {"model": model, "probability": 0.5, "score": score, "score_low": 0.1, "score_high": 0.9}


def _open(folder: str, **options: Any) -> Records:
    options |= {"background": False, "keyring": Keyring.of(Settings.read().encryption)}
    return Records.open(folder, Path(folder) / "wal", SystemClock(), **options)


def fill(folder: str, rows: int, files: int, judged: float) -> None:
    """``rows`` requests over the last seven days in ``files`` files, the oldest of them judged."""
    synthetic, random = Synthetic(1), Random(2)
    start, step = time.time() - 7 * DAY, 7 * DAY / rows
    pool = [synthetic.request(0) for _ in range(min(rows, 20_000))]
    with _open(folder) as records:
        for first in range(0, rows, -(-rows // files)):
            for number in range(first, min(rows, first + -(-rows // files))):
                row = _again(pool[number % len(pool)], random, start + number * step)
                records.append("requests", row)
                if row["status"] == 200 and number < judged * rows:
                    records.append("scores", synthetic.score(row))
            records.flush()


def _again(row: dict[str, Any], random: Random, received_at: float) -> dict[str, Any]:
    return {
        **row,
        "request_id": f"{random.getrandbits(128):032x}",
        "received_at": round(received_at * 1e6),
    }


def appending(segments: int = 4) -> Iterator[str]:
    """The CPU time of one append, and of moving what was appended, as a gateway goes on doing."""
    synthetic = Synthetic(3)
    pool = [synthetic.request(time.time()) for _ in range(1000)]
    rows, appended, moved = segments * _SEGMENT, [0.0, 0.0], [0.0, 0.0]
    with tempfile.TemporaryDirectory() as folder, _open(folder) as records:
        records.append("requests", pool[0])
        records.flush()  # loads pyarrow, once for a process
        for _ in range(segments):
            with _taking(appended):
                for number in range(_SEGMENT):
                    records.append("requests", pool[number % len(pool)])
            size = sum(path.stat().st_size for path in Path(folder, "wal").iterdir()) / _SEGMENT
            with _taking(moved):
                records.flush()
    yield f"append: {appended[1] / rows * 1e6:.1f} us CPU a row of {size:.0f} bytes"
    yield f"move: {rows / moved[0]:,.0f} rows/s, {moved[1] / rows * 1e6:.1f} us CPU a row"


@contextmanager
def _taking(seconds: list[float]) -> Iterator[None]:
    """Adds what the block takes, on the clock and of the CPU."""
    before = time.perf_counter(), time.process_time()
    yield
    seconds[0] += time.perf_counter() - before[0]
    seconds[1] += time.process_time() - before[1]


def searching(folder: str, prompt: str = PROMPT) -> str:
    """A judge's search, the import of pyarrow included."""
    started, cpu = time.perf_counter(), time.process_time()
    with _open(folder) as records:
        found = records.unjudged(prompt, time.time() - 8 * DAY, 1000, Random(4), JUDGED)
    took, cpu = time.perf_counter() - started, time.process_time() - cpu
    drawn = f"{found.due:,} due, {found.rows.num_rows} drawn"
    return f"unjudged by {prompt}: {drawn}, in {took:.2f} s ({cpu:.2f} s CPU)"


def scattered(folder: str) -> str:
    """A search by a new prompt: nothing is judged, and the sample is spread over all days."""
    return searching(folder, "another-prompt.v1")


def querying(folder: str) -> str:
    """The dashboard's queries and that of service levels, each for the first time and again."""
    # A gateway imports neither; the dashboard has both, and pandas with them, from its start.
    import pyarrow.acero  # noqa: F401, PLC0415 - its loading is no part of a query

    from ai_gateway.compliance import sla  # noqa: PLC0415 - in the process that is measured
    from ai_gateway.records import queries  # noqa: PLC0415 - the same
    from ai_gateway.records.objectives import counts  # noqa: PLC0415 - the same

    since = time.time() - 7 * DAY
    limits, windows = {"inference": 2000.0}, [*sla.WINDOWS.values(), 7.0 * DAY]
    asked: dict[str, Callable[[Records], Any]] = {
        "totals": lambda records: queries.totals(records, since),
        "models_summary": lambda records: queries.models_summary(records, since),
        "scores_over_time": lambda records: queries.scores_over_time(records, since),
        "recent_decisions": lambda records: queries.recent_decisions(records, 50),
        "refusals": lambda records: queries.refusals(records, 50),
        "refusals_by_rule": lambda records: queries.refusals_by_rule(records, since),
        "service levels": lambda records: counts(records, limits, windows, time.time()),
    }
    lines = []
    with _open(folder, cache_bytes=400_000_000) as records:
        for name, ask in asked.items():
            lines.append(
                f"{name}: {_timed(ask, records):.2f} s, again {_timed(ask, records):.2f} s"
            )
    return "\n".join(lines)


def _timed(ask: Callable[[Records], Any], records: Records) -> float:
    started = time.perf_counter()
    ask(records)
    return time.perf_counter() - started


def compacting(folder: str) -> str:
    """The compaction job."""
    started = time.perf_counter()
    with _open(folder) as records:
        done = records.compact(grace=0)
    return f"compact: {done} in {time.perf_counter() - started:.1f} s"


def starting(_folder: str) -> str:
    """What the imports cost."""
    started, before = time.perf_counter(), _resident()
    import pyarrow.json  # noqa: PLC0415  this is what is measured
    import pyarrow.parquet  # noqa: PLC0415 - in the process that is measured

    took, after = time.perf_counter() - started, _resident()
    return f"import of {pyarrow.__name__}: {took:.2f} s, {after - before:.0f} MB"


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _peak() -> float:
    """Since the program was started: getrusage would count the parent's, from before exec."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1000


def killing(rounds: int) -> str:
    """Kill a writer at a random moment, again and again; look for what it had acknowledged."""
    lost = twice = acknowledged = 0
    random = Random(5)
    with tempfile.TemporaryDirectory() as folder:
        known: set[str] = set()
        for number in range(rounds):
            known |= _killed(folder, number, 0.2 + random.random() * 1.5)
        with _open(folder) as records:
            records.flush()
            found = records.scan("requests", ["request_id"])["request_id"].to_pylist()
    acknowledged, lost = len(known), len(known - set(found))
    twice = len(found) - len(set(found))
    return f"{rounds} kills: {acknowledged:,} rows acknowledged, {lost} lost, {twice} twice"


def _killed(folder: str, number: int, after: float) -> set[str]:
    command = [sys.executable, "-m", "benchmarks.records", "--part", "writing", folder, str(number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(after)
        writer.kill()
        lines = writer.stdout.read().split("\n")
    return set(lines[:-1])


def writing(folder: str) -> str:
    """Append rows and say which, until killed."""
    synthetic = Synthetic(int(sys.argv[-1]))
    row = synthetic.request(time.time())
    with Records.open(folder, Path(folder) / "wal", SystemClock(), move_every=0.1) as records:
        print("ready", flush=True)
        for number in range(10**9):
            row["request_id"] = f"{sys.argv[-1]}-{number}"
            records.append("requests", row)
            os.write(1, f"{row['request_id']}\n".encode())
    return ""


READING = ("searching", "scattered", "querying")
PARTS: dict[str, Callable[[str], str]] = {
    "starting": starting,
    "searching": searching,
    "scattered": scattered,
    "querying": querying,
    "compacting": compacting,
    "writing": writing,
}


def fresh(part: str, folder: str) -> str:
    """The lines of a part run in a process of its own, with the most memory that it had."""
    command = [sys.executable, "-m", "benchmarks.records", "--part", part, folder]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument(
        "--judged", type=float, default=0.9, help="share of the requests, the oldest"
    )
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--keep", help="a folder for the records; used again if it has some")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(PARTS[options.part[0]](options.part[1]))
        print(f"  peak memory of that process: {_peak():.0f} MB")
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or temporary
        print(fresh("starting", folder))
        for line in appending():
            print(line)
        if not Path(folder, "requests").is_dir():
            fill(folder, options.rows, options.files, options.judged)
        for part in (*READING, "compacting", *READING):
            print(fresh(part, folder), flush=True)
    if options.kills:
        print(killing(options.kills))


if __name__ == "__main__":
    main()

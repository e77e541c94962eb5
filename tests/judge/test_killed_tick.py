"""A tick that is killed half way: no answer is scored twice, none is forgotten."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.judge import tick
from ai_gateway.records import Records, to_rows
from tests.judge.conftest import Model, World, manifest, says

ROOT = Path(__file__).parents[2]
ANSWERS = 60


def row(number, now):
    """An answered request of a moment ago."""
    return {
        "schema_version": 1,
        "request_id": f"r{number}",
        "received_at": int((now - 60 + number / 10) * 1e6),
        "surface": "inference",
        "privacy": "full",
        "status": 200,
        "served": "model-a",
        "input": "Why?",
        "output": "Because.",
    }


def killed(data, wal, after):
    """Run a tick in a process of its own, and kill it after so many verdicts."""
    command = [sys.executable, "-m", "tests.judge.ticking", str(data), str(wal)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        for _ in range(after):
            assert process.stdout.readline()
        process.kill()


def second_tick(data, wal):
    """What the next tick, in a process that lives, finds to do."""
    clock, judge = SystemClock(), Model(says(0.5))
    with Records.open(str(data), wal, clock, background=False) as records:
        return tick.run(World(records, clock, manifest(), Random(1)).context(judge))


@pytest.mark.slow
@pytest.mark.parametrize("log", ["tick", "another"])
@pytest.mark.parametrize("after", [1, 17, 59])
def test_a_killed_tick_is_taken_up_again(tmp_path, after, log):
    """Every answer ends with one score, and the weights are published.

    Over the same write-ahead log the verdicts that had arrived are not asked for again; with
    another one they are, and the rows of both are the same rows.
    """
    data, clock = tmp_path / "data", SystemClock()
    with Records.open(str(data), tmp_path / "gateway", clock, background=False) as records:
        records.extend("requests", [row(number, clock.now()) for number in range(ANSWERS)])
    killed(data, tmp_path / "tick", after)
    summary = second_tick(data, tmp_path / log)
    assert summary["judged"] <= (ANSWERS - after if log == "tick" else ANSWERS)
    assert summary["weights"] == {"model-a": 0.5, "model-b": 1.0}
    assert summary["weights_id"]
    assert second_tick(data, tmp_path / "tick")["judged"] == 0
    with Records.open(str(data), tmp_path / "tick", clock, background=False) as records:
        found = to_rows(records.scan("scores"))
        published = to_rows(records.scan("weights"))
    assert Counter(row["request_id"] for row in found) == dict.fromkeys(
        (f"r{number}" for number in range(ANSWERS)), 1
    )
    assert {row["samples"] for row in published if row["model"] == "model-a"} == {ANSWERS}

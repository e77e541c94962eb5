"""A gateway's past in a real record store, a judge's model that says what a test wants."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from threading import Lock

import pytest

from ai_gateway.answer.call import Answer
from ai_gateway.contract import Context, silent
from ai_gateway.judge import prompts
from ai_gateway.manifest.model import Manifest
from ai_gateway.records import Records, to_rows
from tests.clocks import Moved

BUNDLE = Path(__file__).parents[2]
NOON = 1_800_000_000.0


@dataclass
class HandClock(Moved):
    """One that begins at noon."""

    time: float = NOON


@dataclass
class Model:
    """Answers each call by ``say``, and remembers the calls."""

    say: Callable
    calls: list = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def __call__(self, call):
        with self.lock:
            self.calls.append(call)
        text = self.say(call)
        return Answer(model=call.model, text=text, body={})


def says(score, reason="So it is."):
    """A judge that always gives the same score."""
    return lambda _call: json.dumps({"score": score, "reason": reason})


@dataclass
class World:
    """One bundle, one store, one clock."""

    records: Records
    clock: HandClock
    manifest: Manifest
    random: Random

    def context(self, answer, **changes):
        """A Context with what a judge needs; the rest is not there."""
        parts = {"records": self.records, "random": self.random, "progress": silent, **changes}
        return Context(
            settings=None,
            manifest=self.manifest,
            policies=None,
            prompts=prompts.load(BUNDLE / "judge_prompts")[0],
            limits=None,
            weights=None,
            metrics=None,
            state=None,
            circuits=None,
            keys=None,
            audit=None,
            control=None,
            answer=answer,
            clock=self.clock,
            **parts,
        )

    def answered(self, count=1, *, model="model-a", **columns):
        """Append decision records of answered questions, a second apart; their ids."""
        ids = [f"{model}-{self.clock.now():.0f}-{number}" for number in range(count)]
        for request_id in ids:
            self.clock.sleep(1)
            row = {
                "schema_version": 1,
                "request_id": request_id,
                "received_at": int(self.clock.now() * 1e6),
                "surface": "inference",
                "tenant": "acme",
                "privacy": "full",
                "status": 200,
                "served": model,
                "input": f"What is {request_id}?",
                "output": "It is what it is.",
            }
            self.records.append("requests", row | columns)
        self.records.flush()
        return ids

    def rows(self, table):
        """What the store holds."""
        self.records.flush()
        return to_rows(self.records.scan(table))


def manifest(**judge):
    """Two models and a judge."""
    models = ("model-a", "model-b", "judge")
    return Manifest.model_validate(
        {
            "models": {name: {"url": "http://127.0.0.1:9/v1", "model_id": name} for name in models},
            "judge": {"model": "judge", "concurrency": 4, **judge},
        }
    )


@pytest.fixture
def world(tmp_path):
    """An empty store at noon."""
    clock = HandClock()
    with Records.open(str(tmp_path / "data"), tmp_path / "wal", clock, background=False) as records:
        yield World(records, clock, manifest(), Random(7))

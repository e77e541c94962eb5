"""Records in a folder and in a bucket alike, and rows to put in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from moto.server import ThreadedMotoServer

from ai_gateway.records import Records

#: 2026-03-01 12:00 UTC.
NOON = 1_772_366_400.0
DAY = 86_400.0


class FakeClock:
    """A clock that a test moves."""

    def __init__(self, now: float = NOON) -> None:
        self.time = now
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """An S3-compatible server on a free loopback port, and credentials in the environment."""
    variables = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
    }
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        server.start()
        host, port = server.get_host_and_port()
        httpx.put(f"http://{host}:{port}/records").raise_for_status()
        yield f"{host}:{port}"
        server.stop()


@pytest.fixture
def bucket(s3_endpoint: str, request: pytest.FixtureRequest) -> str:
    """The address of an empty prefix in a bucket."""
    prefix = "".join(each if each.isalnum() else "-" for each in request.node.name)
    return f"s3://records/{prefix}?endpoint_override={s3_endpoint}&scheme=http"


@pytest.fixture(params=["folder", "s3"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where records are kept: a test that takes it runs for a folder and for a bucket."""
    if request.param == "folder":
        return str(tmp_path / "data")
    found: str = request.getfixturevalue("bucket")
    return found


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands at NOON."""
    return FakeClock()


Open = Callable[..., Records]


@pytest.fixture
def open_records(address: str, tmp_path: Path, clock: FakeClock) -> Iterator[Open]:
    """Opens records at ``address``; closes them at the end."""
    opened: list[Records] = []

    def open_one(**options: Any) -> Records:
        options = {"background": False, **options}
        where = options.pop("data", address)
        wal = options.pop("wal", tmp_path / "wal")
        opened.append(Records.open(where, wal, options.pop("clock", clock), **options))
        return opened[-1]

    yield open_one
    for records in opened:
        records.close()


@pytest.fixture
def records(open_records: Open) -> Records:
    """Records whose rows become readable by ``flush`` alone."""
    return open_records()


def request_row(number: int = 0, at: float = NOON, **columns: Any) -> dict[str, Any]:
    """An answered request."""
    row = {
        "schema_version": 1,
        "request_id": f"r{number}",
        "received_at": round(at * 1e6),
        "surface": "inference",
        "privacy": "full",
        "input": f"question {number}",
        "output": f"answer {number}",
        "chosen": "model-a",
        "served": "model-a",
        "status": 200,
        "latency_ms": 10.0 + number,
    }
    return {**row, **columns}


def score_row(request: str, at: float = NOON + 1, **columns: Any) -> dict[str, Any]:
    """A score of a request by prompt ``p.v1``."""
    row = {
        "schema_version": 1,
        "score_id": f"{request}/p.v1/{columns.get('attempt', 1)}",
        "request_id": request,
        "judged_at": round(at * 1e6),
        "model": "model-a",
        "prompt": "p.v1",
        "attempt": 1,
        "outcome": "scored",
        "score": 0.5,
    }
    return {**row, **columns}


def weight_rows(publication: str, at: float = NOON, **scores: float) -> list[dict[str, Any]]:
    """One publication of models' scores."""
    return [
        {
            "weight_id": f"{publication}/{model}",
            "weights_id": publication,
            "published_at": round(at * 1e6),
            "model": model,
            "score": score,
        }
        for model, score in scores.items()
    ]


def ids(records: Records) -> list[str]:
    """The ids of all readable requests, sorted."""
    found: list[str] = records.scan("requests", ["request_id"])["request_id"].to_pylist()
    return sorted(found)

"""``python -m ai_gateway.compliance``: what it prints, and how it exits."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ai_gateway.compliance.__main__ import DONE, FAILED, PENDING, USAGE, main
from ai_gateway.compliance.export import readable
from ai_gateway.records import Records
from ai_gateway.settings import Settings
from tests.compliance.conftest import append, feedback_row, stored
from tests.conftest import ROOT
from tests.records.conftest import NOON, FakeClock, request_row

SLO = """
version: 1
routes:
  - path: /chat
    target: http://127.0.0.1:9
    auth: none
    slo: {availability: 99%}
"""


@pytest.fixture
def run(tmp_path: Path, clock: FakeClock, capsys):
    """Runs a command on the records in a folder; its exit code, and what it printed."""
    (tmp_path / "routes.yaml").write_text(SLO)
    settings = Settings.read(tmp_path, {"GATEWAY_DATA": str(tmp_path / "data")})

    def command(*arguments: str, **changed: str):
        given = Settings.read(tmp_path, {**settings.variables, **changed}) if changed else settings
        code = main(arguments, given, clock)
        said = capsys.readouterr()
        return code, said.out or said.err

    return command


@pytest.fixture
def records(tmp_path: Path, clock: FakeClock):
    """Requests 1 and 3 of tenant ``acme`` and key ``k1``, 0 and 2 of others."""
    with Records.open(str(tmp_path / "data"), tmp_path / "data/wal", clock) as opened:
        for number in range(4):
            append(opened, number, "acme" if number % 2 else "other", f"k{number % 2}")
        opened.flush()
        yield opened


def test_a_tenant_is_erased_and_that_can_be_asked_later(run, records, clock) -> None:
    """First counted, then done, then told; the audit log has it, without the files."""
    clock.time += 10
    code, said = run("erase", "--tenant", "acme", "--dry-run")
    assert (code, json.loads(said)["rows"]["requests"]) == (DONE, 6)
    assert run("erased", "--tenant", "acme")[0] == FAILED
    code, said = run("erase", "--tenant", "acme")
    told = json.loads(said)
    assert (code, told["state"], told["erased"], told["by"]) == (DONE, "done", 6, "command")
    assert stored(records)["requests"] == ["j0", "j2", "r0", "r2", "s0", "s2"]
    code, said = run("erased", "--tenant", "acme", "--request", "r1", "r3")
    assert code == DONE
    assert {each["id"] for each in json.loads(said)["found"]} == {"acme", "r1", "r3"}
    assert run("erased", "--tenant", "acme", "--request", "r2")[0] == FAILED
    (row,) = records.scan("audit").to_pylist()
    assert (row["action"], row["object"]) == ("erasure.run", told["erasure_id"])
    assert json.loads(row["after"])["digest"] == told["digest"]
    assert "acme" not in row["after"]
    report = next((Path(records._objects.root) / "erasures/reports").iterdir())
    done = subprocess.run(["sha256sum", report], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == told["digest"]


def test_an_erasure_that_must_wait_says_so(run, records) -> None:
    """As a scheduled one does."""
    with records.lease("compact", "another", 60):
        code, said = run("erase", "--request", "r1", "r3", "--rater", "ann")
    assert (code, json.loads(said)["state"]) == (PENDING, "pending")


def test_an_erasure_that_is_not_complete_fails(run, records) -> None:
    """A file that nobody can read may hold rows of his."""
    records._objects.put("requests/date=2026-03-01/broken.parquet", b"PAR1")
    code, said = run("erase", "--key", "k1")
    assert (code, json.loads(said)["complete"]) == (FAILED, False)


def test_a_cache_that_does_not_answer_is_a_failure(run, records) -> None:
    """Its answers live on until their time runs out."""
    redis = {"GATEWAY_STATE": "redis://127.0.0.1:1"}
    code, said = run("erase", "--key", "k1", "--grace", "0", **redis)
    assert (code, json.loads(said)["caches_forgotten"]) == (FAILED, False)


def test_all_that_is_held_is_written_out(run, records, tmp_path) -> None:
    """As one file, or as one a table, which nobody else may read; never over another."""
    records.append("keys", key_row("k1"))
    records.append("keys", key_row("k0"))
    records.flush()
    to = tmp_path / "out.jsonl"
    records.append("feedback", feedback_row(9, request_id="rx"))  # in a file of others alone
    records.flush()
    code, said = run("export", "--key", "k1", "--to", str(to))
    rows = {"requests": 6, "scores": 2, "feedback": 2, "keys": 1}
    assert (code, json.loads(said)["rows"]) == (DONE, rows)
    lines = [json.loads(line) for line in to.read_text().splitlines()]
    assert len(lines) == 11
    first = next(each["row"] for each in lines if each["row"].get("request_id") == "r1")
    assert first["received_at"] == "2026-03-01T12:00:00+00:00"
    assert first["output"] == "answer 1"
    assert "error" not in first
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    assert "aa" * 32 not in to.read_text()
    assert run("export", "--key", "k1", "--to", str(to)) == (FAILED, f"{to}: File exists\n")
    folder = tmp_path / "deep" / "out"
    assert run("export", "--key", "k1", "--to", str(folder))[0] == DONE
    assert {path.name for path in folder.iterdir()} == {f"{name}.jsonl" for name in rows}
    assert len((folder / "requests.jsonl").read_text().splitlines()) == 6


def key_row(key_id: str) -> dict:
    """A row of an issued key."""
    row = {"schema_version": 1, "event_id": f"{key_id}/1", "at": round(NOON * 1e6)}
    return {**row, "key_id": key_id, "tenant": "t", "owner": "ann", "digest": "aa" * 32}


def test_a_row_is_readable() -> None:
    """JSON as what it says, unless it is a digest of it."""
    row = {"request": '{"a":1}', "usage": "sha256:0", "price": None, "at": 0, "input": '{"b":2}'}
    assert readable(row) == {
        "request": {"a": 1},
        "usage": "sha256:0",
        "at": "1970-01-01T00:00:00+00:00",
        "input": '{"b":2}',
    }


@pytest.mark.parametrize("command", ["erase", "erased", "export"])
def test_nobody_is_a_wrong_command(run, command) -> None:
    """An erasure of everybody is not asked for by leaving something out."""
    more = ["--to", "x"] if command == "export" else []
    code, said = run(command, *more)
    assert (code, "at least one of tenant, key, request, rater" in said) == (USAGE, True)
    assert run(command, "--tenant", "", *more)[0] == USAGE


def test_a_store_that_is_away_is_told(run, tmp_path) -> None:
    """Without a trace."""
    (tmp_path / "data").write_text("a file in the folder's place")
    code, said = run("erase", "--tenant", "acme")
    assert (code, said.startswith("the records cannot be")) == (FAILED, True)


def test_service_levels_are_told(run, records, clock) -> None:
    """1 where one is not met; over other records by --data, as JSON or as a table."""
    assert run("sla")[0] == DONE
    for number in range(10, 20):
        status = 200 if number % 5 else 503
        records.append("requests", request_row(number, route="chat", status=status))
    records.flush()
    code, said = run("sla", "--json", "--days", "1")
    (told,) = json.loads(said)["routes"]
    assert (code, told["failed"], told["days"]) == (FAILED, 2, 1)
    assert run("sla")[1].startswith("route")
    folder = str(Path(records._objects.root).parent / "none")
    assert run("sla", "--data", folder)[0] == DONE
    code, said = run("sla", "--bundle", folder)
    assert (code, "routes.yaml" in said) == (FAILED, True)


def test_the_records_may_be_elsewhere(run, tmp_path, s3_endpoint) -> None:
    """With GATEWAY_WAL where it is set, and ./wal for a bucket."""
    where = f"s3://records/command?endpoint_override={s3_endpoint}&scheme=http"
    wal = {"GATEWAY_WAL": str(tmp_path / "other")}
    assert run("erased", "--tenant", "a", "--data", where, **wal)[0] == FAILED


def test_it_runs_as_a_module(tmp_path) -> None:
    """With nothing but an address."""
    done = subprocess.run(
        [sys.executable, "-m", "ai_gateway.compliance", "erased", "--tenant", "a"],
        env={**Settings.read().variables, "GATEWAY_DATA": str(tmp_path), "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, json.loads(done.stdout)["erased"]) == (FAILED, False)

"""A marker goes through a whole gateway that encrypts, and stands nowhere on its disks."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ai_gateway import jobs, strictjson
from ai_gateway.control import audit
from ai_gateway.cost import reconcile
from ai_gateway.manifest.load import load
from ai_gateway.manifest.model import Job
from ai_gateway.records.keyring import Encrypted
from ai_gateway.service import Service
from ai_gateway.settings import Settings
from runner import application
from tests.conftest import ROOT, Gateway

MARKER = "xyzzy-marker-7f3a"
KEY = base64.b64encode(os.urandom(32)).decode()
ROUTES = """
  - {path: /inference, function: "functions.inference:handle", auth: api-key}
  - {path: /feedback, function: "functions.feedback:handle", auth: api-key}
  - {path: /api/v1/keys, methods: [POST], function: "functions.admin.key_issue:handle",
     auth: api-key}
  - {path: /api/v1/erasures, function: "functions.admin.erasure:handle", auth: api-key,
     privacy: none}
"""


def job(gateway: Gateway, function: str) -> Any:
    """One tick of a function; what it answered."""
    asked = Job(name="a-job", function=f"functions.{function}:handle", every="1m")
    code, reply = jobs.tick(gateway.service, gateway.snapshot, asked)
    assert code == jobs.DONE
    return reply


def traffic(gateway: Gateway) -> None:
    """The marker as a question, an answer's correction, and the owner of a key."""
    for number in range(3):
        answer = gateway.ask(f"What is GRPO? {MARKER} {number}")
        assert answer.status_code == 200
        told = {"request_id": answer.json["request_id"], "correction": f"{MARKER} is the answer"}
        answer = gateway.client.post("/feedback", json=told, headers=gateway.headers)
        assert answer.status_code < 300, answer.json
        body = {"name": f"{MARKER}-{number}", "tenant": f"{MARKER}-tenant"}
        answer = gateway.client.post("/api/v1/keys", json=body, headers=gateway.headers)
        assert answer.status_code < 300, answer.json


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def shown(found: dict[str, bytes], marker: str = MARKER) -> list[str]:
    """The files that hold the marker: as it is, in base64 at any offset, or in UTF-16."""
    spellings = {marker.encode(), marker.encode("utf-16-le")}
    for shift in range(3):
        spellings.add(base64.b64encode(b"\0" * shift + marker.encode())[4:-4])
    return [name for name, data in found.items() if any(each in data for each in spellings)]


def test_the_marker_stands_nowhere(start: Any, tmp_path: Path) -> None:
    """With a key: neither in segments, tables and ledgers before and after each job, nor readable.

    The same traffic without a key shows that the looking finds it.
    """
    gateway = start(ROUTES, GATEWAY_ENCRYPTION_KEY=KEY)
    data = tmp_path / "data"
    traffic(gateway)
    waiting = contents(data)
    assert any(name.endswith(".wal") for name in waiting)
    assert shown(waiting) == []
    job(gateway, "judge_tick")
    traffic(gateway)
    gateway.service.records.flush()
    before = contents(data)
    assert len(gateway.rows()) == 6 + 3  # and the judge's own calls
    assert len(gateway.rows("keys")) == 6
    job(gateway, "compact")
    erasure = {"tenant": f"{MARKER}-nobody"}
    answer = gateway.client.post("/api/v1/erasures", json=erasure, headers=gateway.headers)
    assert answer.status_code < 300, answer.json
    after = contents(data)
    assert any(name.startswith("erasures/") for name in after)
    assert shown(before) == shown(after) == []
    tables = {name: found for name, found in {**before, **after}.items() if "parquet" in name}
    assert {name.split("/")[0] for name in tables} >= {"requests", "scores", "feedback", "keys"}
    assert {(found[:4], found[-4:]) for found in tables.values()} == {(b"PARE", b"PARE")}


def test_the_looking_finds_what_is_plain(start: Any, tmp_path: Path) -> None:
    """Without a key the same marker is found in the segments: the test above can fail."""
    gateway = start(ROUTES, GATEWAY_WAL=str(tmp_path / "wal"))
    traffic(gateway)
    assert shown(contents(tmp_path / "wal"))
    gateway.service.records.flush()
    tables = contents(tmp_path / "data")
    assert {found[:4] for name, found in tables.items() if "parquet" in name} == {b"PAR1"}


@pytest.mark.parametrize(
    "other", ["", base64.b64encode(os.urandom(16)).decode()], ids=["none", "another"]
)
def test_without_the_key_requests_are_answered(start: Any, tmp_path: Path, other: str) -> None:
    """What is stored is not readable, which is told; who asks is answered and recorded."""
    gateway = start(ROUTES, GATEWAY_ENCRYPTION_KEY=KEY)
    traffic(gateway)
    gateway.service.records.close()
    environment = {**gateway.service.settings.variables, "GATEWAY_ENCRYPTION_KEY": other}
    settings = Settings.read(gateway.service.settings.bundle, environment)
    bundle, problems = load(settings)
    assert bundle, problems
    service = Service(settings)
    client = application(service.snapshot(bundle)).test_client()
    answer = client.post("/inference", json={"inputs": "What is GRPO?"}, headers=gateway.headers)
    assert answer.status_code == 200
    service.records.flush()
    with pytest.raises(Encrypted, match=r"requests/date=.* is encrypted"):
        service.records.scan("requests")
    service.close()


def test_commands_read_with_the_key(start: Any, tmp_path: Path, capsys: Any) -> None:
    """``python -m ai_gateway.control.audit`` and ``...cost.reconcile`` find it in the variable."""
    gateway = start(ROUTES, GATEWAY_ENCRYPTION_KEY=KEY)
    traffic(gateway)
    gateway.service.records.flush()
    settings = gateway.service.settings
    assert audit.main(["verify"], settings) == 0
    assert capsys.readouterr().out.startswith("3 ")
    assert reconcile.main([], settings) == 0
    assert strictjson.loads(capsys.readouterr().out.encode())["rows"] == 3
    keyless = {**settings.variables, "GATEWAY_ENCRYPTION_KEY": ""}
    with pytest.raises(Encrypted, match="is encrypted"):
        reconcile.main([], Settings.read(settings.bundle, keyless))


def test_a_key_that_is_none_stops_the_start() -> None:
    """The report names the variable, and shows nothing of it."""
    settings = Settings.read(ROOT, {"GATEWAY_ENCRYPTION_KEY": "my secret key"})
    _, problems = load(settings, serving=False)
    (problem,) = (each for each in problems if each.key == "GATEWAY_ENCRYPTION_KEY")
    assert problem.found == "a word that is no base64"
    assert "secret key" not in str(problem)


@pytest.mark.parametrize(("key", "loaded"), [("None", "False"), ("Keyring([bytes(16)])", "True")])
def test_nothing_of_it_is_loaded_without_a_key(tmp_path: Path, key: str, loaded: str) -> None:
    """Records that are plain are written, moved and read without any cryptography."""
    program = f"""
import sys
from pathlib import Path
from ai_gateway.clock import SystemClock
from ai_gateway.records import Records
from ai_gateway.records.keyring import Keyring
row = {{"schema_version": 1, "request_id": "r", "received_at": 1_772_366_400_000_000}}
with Records.open({str(tmp_path)!r}, Path({str(tmp_path)!r}, "wal"), SystemClock(),
                  background=False, keyring={key}) as records:
    records.append("requests", row)
    records.flush()
    assert records.scan("requests").num_rows == 1
print("cryptography" in sys.modules, "ai_gateway.records.modular" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout.split(), done.stderr) == ([loaded, loaded], "")

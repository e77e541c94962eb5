"""The audit log is a chain: what is changed, taken out or put elsewhere is found."""

import json
import subprocess
import sys

import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.contract import Caller, Event
from ai_gateway.control.audit import COLUMNS, LONGEST, Audit, main, row_hash, verify
from ai_gateway.control.masking import masked
from ai_gateway.manifest.model import Route
from ai_gateway.records import Records, to_rows
from ai_gateway.records.schema import TABLES
from ai_gateway.settings import Settings
from tests.conftest import ROOT

EVENT = Event(
    "r-1", Route(path="/"), "POST", "/", 0.0, caller=Caller("key-1", "api-key", tenant="t")
)


@pytest.fixture
def records(tmp_path):
    """A store that is moved by hand."""
    with Records.open(
        str(tmp_path / "data"), tmp_path / "wal", SystemClock(), background=False
    ) as found:
        yield found


def rows(records):
    """What is stored, in the order of each chain."""
    records.flush()
    found = to_rows(records.scan("audit"))
    return sorted(found, key=lambda row: (row["writer"], row["number"]))


def test_rows_hold_what_was_noted_and_their_chain_holds(records) -> None:
    """Through the store and back: every column that the hash is of comes out as it went in."""
    audit = Audit(records, SystemClock(), "w")
    audit.note(EVENT, "key.issue", "key-2", None, {"owner": "ä \ud800", "n": 1.5})
    audit.note(None, "bundle.reload", "bundle", "a", "b", "invalid_bundle")
    first, second = rows(records)
    assert verify([first, second])[:2] == (1, [])
    assert (first["who"], first["tenant"], first["request_id"]) == ("key-1", "t", "r-1")
    assert (first["before"], first["before_digest"]) == (None, None)
    assert first["after"] == '{"n":1.5,"owner":"ä ?"}'
    assert (second["who"], second["outcome"], second["previous"]) == (
        "gateway",
        "invalid_bundle",
        first["hash"],
    )
    assert {*COLUMNS, "hash"} == set(TABLES["audit"].schema.names)


def test_writers_have_chains_of_their_own(records) -> None:
    """Processes write at once and do not wait for one another."""
    for number in range(3):
        for audit in (Audit(records, SystemClock()), Audit(records, SystemClock())):
            audit.note(EVENT, "a", str(number))
            audit.note(EVENT, "b", str(number))
    assert verify(rows(records))[:2] == (6, [])


def test_a_chain_that_was_tampered_with_is_found(records) -> None:
    """Edits with and without a new hash, gaps, reorderings and doubles, each with where."""
    audit = Audit(records, SystemClock(), "w")
    for number in range(4):
        audit.note(EVENT, "a", str(number))
    good = rows(records)

    def faults(changed):
        return [str(fault) for fault in verify(changed).faults]

    for column in COLUMNS:
        other = 7 if isinstance(good[1][column], int) else "other"
        assert faults([good[0], {**good[1], column: other}, *good[2:]]), column
    assert faults([good[0], {**good[1], "who": "x"}, *good[2:]]) == [
        "w/1: it was changed after it was written"
    ]
    edited = {**good[1], "who": "x"}
    edited["hash"] = row_hash(edited)
    assert faults([good[0], edited, *good[2:]]) == [
        "w/2: it does not follow from the row before it"
    ]
    assert faults([good[0], *good[2:]]) == ["w/2: rows 1 to 1 of this writer are missing"]
    assert faults(good[2:]) == ["w/2: rows 0 to 1 of this writer are missing"]
    assert faults([*good[:2], good[1], *good[2:]])[0] == (
        "w/1: another row of this writer has its number"
    )
    moved = [{**row, "number": n, "audit_id": f"w/{n}"} for n, row in enumerate(reversed(good))]
    assert len(faults(moved)) >= 4


def test_what_is_long_is_cut_and_its_digest_is_of_all(records) -> None:
    """Two long texts that differ at their ends have two digests."""
    audit = Audit(records, SystemClock())
    audit.note(EVENT, "a", "o" * 5000, "x" * LONGEST + "a", "x" * LONGEST + "b")
    (row,) = rows(records)
    assert len(row["before"]) == len(row["after"]) == LONGEST
    assert row["before_digest"] != row["after_digest"]
    assert len(row["object"]) == 1000


def test_a_clock_that_is_set_back_is_no_fault(records, caplog) -> None:
    """It is said, since somebody may want to know."""

    class Back(SystemClock):
        at = 2e9

        def now(self):
            self.at -= 1
            return self.at

    audit = Audit(records, Back())
    audit.note(EVENT, "a", "o")
    audit.note(EVENT, "a", "o")
    assert verify(rows(records))[:2] == (1, [])
    assert "set back" in caplog.text


def test_secrets_are_masked_wherever_they_stand() -> None:
    """Below credentials everything, elsewhere what is named as a secret is."""
    value = {
        "credentials": {"token": "canary", "aws": {"region": "canary"}, "scopes": ["canary"]},
        "list": [{"api_key": "canary", "token": None}, ("a",)],
        "token_limit": "max_tokens",
    }
    assert "canary" not in json.dumps(masked(value))
    assert masked(value)["token_limit"] == "max_tokens"
    assert masked(value)["list"] == [{"api_key": "***", "token": None}, ["a"]]


def test_the_command_checks_every_chain(records, tmp_path, capsys) -> None:
    """0 while they hold; 1, and where, when somebody removed a file."""
    audit = Audit(records, SystemClock(), "w")
    for number in range(3):
        audit.note(EVENT, "a", str(number))
        records.flush()
    settings = Settings(data=str(tmp_path / "nowhere"), wal=tmp_path / "wal")
    data = ["verify", "--data", str(tmp_path / "data")]
    assert main(data, settings) == 0
    assert capsys.readouterr().out == "3 rows in 1 chains, 0 faults\n"
    sorted((tmp_path / "data" / "audit").rglob("*.parquet"))[1].unlink()
    assert main(data, settings) == 1
    assert "w/2: rows 1 to 1 of this writer are missing" in capsys.readouterr().out
    assert main(["verify"], settings) == 0
    assert capsys.readouterr().out == "0 rows in 0 chains, 0 faults\n"


@pytest.mark.slow
def test_the_command_runs_by_itself(records, tmp_path) -> None:
    """As an operator runs it."""
    Audit(records, SystemClock()).note(EVENT, "a", "o")
    records.flush()
    command = [sys.executable, "-m", "ai_gateway.control.audit", "verify", "--data"]
    done = subprocess.run(
        [*command, str(tmp_path / "data")], cwd=ROOT, capture_output=True, check=True
    )
    assert done.stdout == b"1 rows in 1 chains, 0 faults\n"

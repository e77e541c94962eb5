"""Erasing where something goes wrong: killed, without its lease, beside files that change."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ai_gateway.records import Records
from ai_gateway.records.erasing import Erasing
from ai_gateway.records.ledger import Ledger
from ai_gateway.records.objects import Folder
from ai_gateway.records.reading import Reader
from ai_gateway.records.schema import REQUESTS
from ai_gateway.records.segments import frame
from ai_gateway.records.setaside import SetAside
from ai_gateway.records.upkeep import prune
from tests.compliance.conftest import Dying, Held, Killed, append, asked, stored
from tests.compliance.erased import LEFT, check, four
from tests.records.conftest import FakeClock, request_row


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_step_it_is_taken_up_again(tmp_path: Path, clock, after) -> None:
    """Readers see every row of others once, whatever the step; the report has all of the counts."""
    for step in range(1, 40):
        root = tmp_path / str(step)
        with Records.open(str(root), root / "wal", clock, background=False) as records:
            four(records)
            append(records, 5, "acme", "k1")  # a file of which nothing is left
            records.flush()
            folder = Dying(root, step, after=after)
            ledger = Ledger(folder)
            erasing = Erasing(Reader(folder), ledger, SetAside(root / "wal"), clock, Held(), 0)
            try:
                ledger.ask(asked(keys=["k1"]))
                erasing.run(asked(keys=["k1"]))
            except Killed:
                seen = stored(records)
                assert all(set(LEFT[name]) <= set(seen[name]) for name in LEFT)
                if records.ledger.pending():
                    assert records.prune({}).erasures == 1
                    check(records, 1)
            else:
                check(records, 1)
                assert step > 12
                return
    pytest.fail("it never came to its end")


@pytest.mark.parametrize("renewals", range(6))
def test_without_its_lease_it_stops(tmp_path: Path, clock: FakeClock, renewals) -> None:
    """Nothing is deleted that the next holder could still need; the next run does the rest."""
    with Records.open(str(tmp_path), tmp_path / "wal", clock, background=False) as records:
        four(records)
        records.ledger.ask(asked(tenants=["acme"]))
        reader, aside = records._reader, SetAside(tmp_path / "wal")
        erasing = Erasing(reader, records.ledger, aside, clock, Held(renewals), 0)
        assert not erasing.run(asked(tenants=["acme"])).done
        assert len(records._reader.files("requests")) >= 1
        records.prune({})
        check(records)


def test_while_another_holds_the_lease_it_waits_for_a_pruning(records: Records) -> None:
    """It is asked for: late rows are kept out, and the next pruning carries it out."""
    four(records)
    with records.lease("compact", "another", 60):
        assert records.erase(asked(tenants=["acme"])) is None
        assert records.prune({}) is None
        append(records, 5, "acme")
        records.flush()
    assert len(stored(records)["requests"]) == 12
    assert records.prune({}).erasures == 1
    assert stored(records)["requests"] == LEFT["requests"]


def test_a_pruning_that_lost_its_lease_leaves_erasures_to_the_next(
    tmp_path: Path, clock: FakeClock
) -> None:
    """And says how many are waiting."""
    with Records.open(str(tmp_path), tmp_path / "wal", clock, background=False) as records:
        four(records)
        records.ledger.ask(asked(tenants=["acme"]))
        aside = SetAside(tmp_path / "wal")
        erasing = Erasing(records._reader, records.ledger, aside, clock, Held(1), 0)
        first, second = (prune(erasing, {}, may=lambda _: ()) for _ in range(2))
        assert (first.erasures, second.pending) == (0, 1)
        assert len(stored(records)["requests"]) == 12


def test_a_file_of_a_later_version_keeps_what_is_not_known_here(tmp_path: Path, clock) -> None:
    """And a file of an earlier one stays as it is, without the rows."""
    folder = tmp_path / "requests/date=2026-03-01"
    folder.mkdir(parents=True)
    rows = pa.table({"request_id": ["a", "b"], "tenant": ["acme", "x"], "later": [1, 2]})
    rows = rows.append_column("received_at", pa.array([0, 0], REQUESTS.field("received_at").type))
    pq.write_table(rows.replace_schema_metadata({"own": "1"}), folder / "a.parquet")
    with Records.open(str(tmp_path), tmp_path / "wal", clock, background=False) as records:
        records.erase(asked(tenants=["acme"]))
    (left,) = folder.iterdir()
    found = pq.read_table(left, partitioning=None)
    assert found.select(["request_id", "later"]).to_pylist() == [{"request_id": "b", "later": 2}]
    assert found.schema.metadata[b"own"] == b"1"


def test_what_cannot_be_read_is_told(records: Records, clock: FakeClock) -> None:
    """Nobody knows whose rows a broken file holds, so the erasure is not complete."""
    four(records)
    records._reader.objects.put("requests/date=2026-03-01/broken.parquet", b"PAR1")
    outcome = records.erase(asked(tenants=["acme"]))
    assert outcome is not None
    assert outcome.report is not None
    assert not outcome.report["complete"]
    assert outcome.report["unreadable"] == ["requests/date=2026-03-01/broken.parquet"]
    assert stored(records) == LEFT


def test_a_file_that_is_gone_is_looked_for_again(tmp_path: Path, clock: FakeClock) -> None:
    """Whoever took it away between listing and reading."""

    class Vanishing(Folder):
        turns = 1

        def open(self, entry):
            if self.turns and entry.path.startswith("requests/"):
                self.turns -= 1
                raise FileNotFoundError(entry.path)
            return super().open(entry)

    with Records.open(str(tmp_path), tmp_path / "wal", clock, background=False) as records:
        four(records)
        records.ledger.ask(asked(tenants=["acme"]))
        reader = Reader(Vanishing(tmp_path))
        aside = SetAside(tmp_path / "wal")
        Erasing(reader, records.ledger, aside, clock, Held(), 0).run(asked(tenants=["acme"]))
        check(records)


def test_lines_that_no_table_took_go_too(tmp_path: Path, clock: FakeClock) -> None:
    """They hold texts as well; a damaged one stays, since nobody knows whose it is."""
    wal = tmp_path / "wal"
    with Records.open(str(tmp_path), wal, clock, background=False) as records:
        for number, tenant in enumerate(("acme", "other")):
            records.append("requests", request_row(number, tenant=tenant, unknown=1))
        records.flush()
        (bad,) = wal.glob("*.bad")
        damaged = [b"requests 00000000 {}", frame("requests", b"no json").strip()]
        rest = frame("weights", b'{"tenant": "acme"}').strip()
        bad.write_bytes(b"\n".join([*bad.read_bytes().splitlines(), *damaged, rest, b""]))
        whole = wal / "2.bad"
        whole.write_bytes(frame("feedback", b'{"request_id": "r1", "tenant": "acme"}'))
        busy = wal / "3.bad"
        busy.write_bytes(whole.read_bytes())
        with busy.with_suffix(".wal").open("w") as living:
            fcntl.flock(living, fcntl.LOCK_EX)
            outcome = records.erase(asked(tenants=["acme"]))
        assert outcome is not None
        assert outcome.report is not None
        assert outcome.report["lines"] == 2
        assert (whole.exists(), busy.exists()) == (False, True)
        assert b"acme" not in bad.read_bytes().replace(rest, b"")
        assert b"other" in bad.read_bytes()
        assert all(line in bad.read_bytes().splitlines() for line in damaged)
        records.append("requests", request_row(2, tenant="acme", unknown=1))
        records.flush()
        assert len(list(wal.glob("*.bad"))) == 2


def test_an_erasure_that_cannot_be_read_stops_no_records(records: Records, caplog) -> None:
    """It is logged, and left out."""
    objects = records._reader.objects
    objects.put("erasures/pending/x.json", b"{}")
    append(records, 1, "acme")
    records.flush()
    assert len(stored(records)["requests"]) == 3
    assert "is no erasure" in caplog.text


def test_an_erasure_that_is_forgotten_meanwhile_is_none(tmp_path: Path) -> None:
    """Between the listing and the reading."""

    class Gone(Folder):
        def open(self, entry):
            raise FileNotFoundError(entry.path)

    Ledger(Folder(tmp_path)).ask(asked(tenants=["a"]))
    assert Ledger(Gone(tmp_path)).pending() == []

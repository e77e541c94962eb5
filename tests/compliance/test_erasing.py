"""Erasing: all rows of somebody go, nobody else's, whoever writes, reads or dies meanwhile."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from ai_gateway.records import Records
from ai_gateway.records.compaction import compact
from ai_gateway.records.ledger import hashed
from ai_gateway.records.objects import Folder, content
from ai_gateway.records.reading import Reader
from ai_gateway.records.subject import Subject
from ai_gateway.records.upkeep import SETTLED
from tests.compliance.conftest import Held, Killed, append, asked, feedback_row, stored
from tests.compliance.erased import LEFT, four
from tests.records.conftest import DAY, NOON, FakeClock, Open, score_row


@pytest.mark.parametrize(
    "ids", [{"tenants": ["acme"]}, {"keys": ["k1"]}, {"requests": ["r1", "r3"]}]
)
@pytest.mark.parametrize("together", [True, False])
def test_all_that_hangs_on_a_subject_goes(records: Records, ids, together) -> None:
    """Its requests, their shadows, scores, the judge's calls and feedback; nothing else."""
    four(records, together=together)
    outcome = records.erase(asked(**ids))
    assert outcome is not None
    assert outcome.done
    assert stored(records) == LEFT
    assert outcome.report is not None
    assert outcome.report["rows"] == {"requests": 6, "scores": 2, "feedback": 2, "webhooks": 0}


def test_what_a_rater_said_goes_and_what_he_rated_stays(records: Records) -> None:
    """A caller without a name is a rater under his key's id."""
    append(records, 0, "acme")
    records.append("feedback", feedback_row(7, rater="bob", request_id="r0"))
    records.append("feedback", feedback_row(8, rater="k9", request_id="r0"))
    records.flush()
    records.erase(asked(raters=["bob"], keys=["k9"]))
    assert stored(records)["feedback"] == ["f0"]
    assert stored(records)["requests"] == ["j0", "r0", "s0"]


def test_a_dry_run_counts_what_an_erasure_takes(records: Records) -> None:
    """By table, and changes nothing."""
    four(records)
    subject = Subject(keys=frozenset(["k1"]))
    assert records.count(subject) == {"requests": 6, "scores": 2, "feedback": 2, "webhooks": 0}
    assert len(stored(records)["requests"]) == 12
    assert records.ledger.pending() == []


def test_the_report_proves_it_and_names_nobody(records: Records) -> None:
    """Files with digests before and after, ids as salted hashes, and the report before it."""
    four(records)
    objects = records._reader.objects
    before = {entry.path: entry for entry in records._reader.files("requests")}
    old = {path: content(objects, entry) for path, entry in before.items()}
    outcome = records.erase(asked(tenants=["acme"]))
    assert outcome is not None
    report = outcome.report
    assert report is not None
    assert "acme" not in json.dumps(report)
    assert '"r1"' not in json.dumps(report)
    assert report["subject"]["tenants"] == [hashed("5a17", "tenants", "acme")]
    assert len(report["erased"]) == 6
    (change,) = (each for each in report["files"] if each["table"] == "requests")
    assert change["sha256"] == digest(old[change["path"]])
    (left,) = records._reader.files("requests")
    assert (left.path, digest(content(objects, left))) == (
        change["written"],
        change["written_sha256"],
    )
    assert (change["rows"], change["dropped"]) == (12, 6)
    second = records.erase(asked(tenants=["other"], erasure_id="e2"))
    assert second is not None
    assert second.report is not None
    assert second.report["previous"] == report["digest"]


def digest(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def test_whether_somebody_was_erased_can_be_asked(records: Records, clock: FakeClock) -> None:
    """By who knows the id; a request of an erased tenant too. A changed report breaks the chain."""
    four(records)
    assert records.ledger.telling("tenants", "acme") == []
    for erasure_id, ids in (("e1", {"tenants": ["acme"]}), ("e2", {"requests": ["r0"]})):
        clock.time += 1
        records.erase(asked(erasure_id=erasure_id, **ids))
    told = [records.ledger.telling("requests", each) for each in ("r1", "r0", "r2")]
    assert [[each["erasure_id"] for each in found] for found in told] == [["e1"], ["e2"], []]
    assert [fits for _, fits in records.ledger.reports()] == [True, True]
    objects = records._reader.objects
    first = objects.entries("erasures/reports")[0]
    objects.put(first.path, content(objects, first).replace(b'"e1"', b'"e9"'))
    assert [fits for _, fits in records.ledger.reports()] == [True, False]
    objects.put(first.path, b"[]")
    assert [fits for _, fits in records.ledger.reports()] == [False, False]
    assert records.ledger.telling("requests", "r1") == []


def test_a_second_time_finds_nothing(records: Records, clock: FakeClock) -> None:
    """And says so, with a report of its own; prunings add none."""
    four(records)
    for erasure_id, rows in (("e1", 6), ("e2", 0)):
        clock.time += 1
        outcome = records.erase(asked(tenants=["acme"], erasure_id=erasure_id))
        assert outcome is not None
        assert outcome.report is not None
        assert outcome.report["rows"]["requests"] == rows
    assert records.prune({}).erasures == 2
    assert len(list(records.ledger.reports())) == 2
    assert stored(records) == LEFT


def test_what_comes_later_is_no_part_of_it(records: Records, clock: FakeClock) -> None:
    """A tenant who stays may go on; what was received before and comes late is kept out."""
    four(records)
    records.erase(asked(tenants=["acme"], until=NOON + 10))
    append(records, 5, "acme", at=NOON + 9)
    append(records, 7, "acme", at=NOON + 11)
    records.flush()
    assert stored(records)["requests"] == sorted([*LEFT["requests"], "j7", "r7", "s7"])
    assert stored(records)["scores"] == [*LEFT["scores"], "r7/p.v1/1"]
    assert records.status()["erased"] == 4
    assert records.status()["pending"] == 0


def test_rows_of_other_processes_are_caught(open_records: Open, tmp_path: Path) -> None:
    """What waits in the write-ahead folder of a living one never comes into a table."""
    writer, eraser = open_records(wal=tmp_path / "one"), open_records(wal=tmp_path / "two")
    append(writer, 1, "acme")
    append(writer, 2, "other")
    segments = list((tmp_path / "one").glob("*.wal"))
    eraser.erase(asked(tenants=["acme"]))
    assert list((tmp_path / "one").glob("*.wal")) == segments
    writer.flush()
    assert stored(eraser)["requests"] == ["j2", "r2", "s2"]
    assert writer.status()["moved"] == 6  # five of the other tenant, and feedback from him


def test_what_comes_late_past_all_movers_goes_with_the_next_pruning(
    records: Records, clock: FakeClock
) -> None:
    """A score of a judgement that was under way, and a file that a mover was about to put."""
    four(records)
    records.erase(asked(keys=["k1"]))
    records.append("scores", score_row("r1", attempt=2))
    records.flush()
    assert "r1/p.v1/2" in stored(records)["scores"]
    done = records.prune({})
    assert (done.erasures, done.pending) == (1, 0)
    assert stored(records) == LEFT
    reports = [report for report, _ in records.ledger.reports()]
    assert [report["rows"]["scores"] for report in reports] == [2, 3]


def test_a_settled_erasure_is_forgotten_and_its_report_is_not(
    records: Records, clock: FakeClock
) -> None:
    """The plain ids go at last."""
    four(records)
    records.erase(asked(tenants=["acme"]))
    clock.time += SETTLED
    assert records.prune({}).erasures == 1
    assert len(records.ledger.pending()) == 1
    clock.time += 11
    assert records.prune({}).erasures == 1
    assert records.ledger.pending() == []
    assert records.prune({}).erasures == 0
    assert len(records.ledger.telling("tenants", "acme")) == 1
    assert records._reader.objects.entries("erasures/progress") == []


@pytest.mark.parametrize(
    ("name", "row", "taken"),
    [
        ("requests", {"tenant": "acme", "received_at": 5e6}, True),
        ("requests", {"tenant": "acme", "received_at": 11e6}, False),
        ("requests", {"tenant": "acme"}, True),
        ("requests", {"tenant": ["acme"]}, False),
        ("requests", {"shadow_of": "r1", "received_at": 11e6}, True),
        ("scores", {"tenant": "acme", "requested_at": 5e6, "judged_at": 11e6}, True),
        ("feedback", {"rater": "k1", "created_at": 1}, True),
        ("weights", {"tenant": "acme"}, False),
    ],
)
def test_whose_a_row_is(name, row, taken) -> None:
    """By table, and by time where it is owned; what hangs on a request is so at any time."""
    ids = {"tenants": ["acme"], "keys": ["k1"], "requests": ["r1"]}
    assert asked(until=10, **ids).subject.takes(name, row) is taken


def test_a_subject_without_a_time_is_of_all_times() -> None:
    """As an export asks for."""
    row = {"tenant": "acme", "received_at": 9e18}
    assert Subject(tenants=frozenset(["acme"])).takes("requests", row)


def test_a_compaction_that_was_killed_brings_nothing_back(tmp_path: Path, clock) -> None:
    """It left rows twice, in its sources and in what it made of them: all are erased."""

    class Undying(Folder):
        def delete(self, path: str) -> None:
            raise Killed

    with Records.open(str(tmp_path), tmp_path / "wal", clock, background=False) as records:
        for number in range(4):
            append(records, number, "acme" if number == 1 else "other", f"k{number}")
            clock.time += 0.001
            records.flush()
        clock.time += DAY
        with pytest.raises(Killed):
            compact(Reader(Undying(tmp_path)), clock, Held(), 0)
        assert len(records._reader.files("requests")) == 5
        records.erase(asked(requests=["r1"]))
        left = stored(records)
        assert left["requests"] == sorted(
            f"{kind}{number}" for kind in "rsj" for number in (0, 2, 3)
        )
        records.compact()
        assert stored(records) == left
        assert len(records._reader.files("requests")) == 1


def test_old_days_are_erased_like_new_ones(records: Records) -> None:
    """Each file for itself."""
    for number, at in enumerate((NOON - 40 * DAY, NOON)):
        append(records, number, "acme", at=at)
    records.flush()
    records.erase(asked(tenants=["acme"]))
    assert stored(records) == {"requests": [], "scores": [], "feedback": []}

"""Retention: what is older than its rule goes, a date at a time, and nothing else."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from ai_gateway.records import Records
from ai_gateway.records.keeping import Keep, Over
from ai_gateway.records.objects import Folder
from ai_gateway.records.pruning import Pruned, Pruning
from ai_gateway.records.reading import Reader
from ai_gateway.records.schema import REQUESTS
from tests.compliance.conftest import Dying, Held, Killed
from tests.records.conftest import DAY, NOON, FakeClock, Open, ids, request_row, weight_rows


def days(records: Records, count: int, tenants: tuple[str, ...] = ("a", "b")) -> None:
    """A file a day, the oldest ``count - 1`` days before NOON, with a row of each tenant.

    A row's id is its tenant and how many days old it is.
    """
    for age in range(count):
        rows = [request_row(0, NOON - age * DAY, tenant=tenant) for tenant in tenants]
        for row, tenant in zip(rows, tenants, strict=True):
            row["request_id"] = f"{tenant}{age}"
        records.extend("requests", rows)
        records.flush()


def test_whole_dates_go_unread(records: Records) -> None:
    """Broken files of them too; a second run has nothing to do."""
    days(records, 6)
    objects = records._reader.objects
    objects.put("requests/date=2026-02-24/broken.parquet", b"PAR1")
    objects.put("requests/date=notes/mine.txt", b"notes")
    done = records.prune({"requests": Keep(3 * DAY)})
    # The date of the row that is 3.5 days old ended 2.5 days ago, and is kept.
    assert ids(records) == sorted(f"{tenant}{age}" for tenant in "ab" for age in range(4))
    assert done.summary() == {
        "dates": {"requests": 2},
        "files": {"requests": 3},
        "rows": {},
        "rewritten": 0,
        "set_aside": 0,
        "erasures": 0,
        "pending": 0,
        "unreadable": [],
    }
    assert objects.entries("requests/date=notes")
    assert objects.folders("requests") == [
        *(f"date={date}" for date in ("2026-02-26", "2026-02-27", "2026-02-28", "2026-03-01")),
        "date=notes",
    ]
    assert records.prune({"requests": Keep(3 * DAY)}) == Pruned()


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (Keep(4 * DAY, {"a": 2 * DAY}), "a0 a1 a2 b0 b1 b2 b3 b4"),
        (Keep(2 * DAY, {"a": 4 * DAY}), "a0 a1 a2 a3 a4 b0 b1 b2"),
        (Keep(None, {"a": DAY}), "a0 a1 b0 b1 b2 b3 b4 b5"),
        (Keep(DAY, {"a": 100 * DAY}), "a0 a1 a2 a3 a4 a5 b0 b1"),
        (Keep(DAY, {"a": 2 * DAY, "b": 3 * DAY}), "a0 a1 a2 b0 b1 b2 b3"),
        (Keep(None, {"c": DAY}), "a0 a1 a2 a3 a4 a5 b0 b1 b2 b3 b4 b5"),
    ],
)
def test_a_tenant_has_a_rule_of_its_own(records: Records, keep, left) -> None:
    """Longer or shorter: files of dates that both have are rewritten, once."""
    days(records, 6)
    records.prune({"requests": keep})
    assert " ".join(ids(records)) == left
    again = records.prune({"requests": keep})
    assert (again.rewritten, again.rows) == (0, Counter())


def test_readers_have_time_before_a_rewritten_file_goes(records: Records, clock) -> None:
    """One whose listing was under way still meets it."""
    days(records, 4)
    records.prune({"requests": Keep(None, {"a": DAY})})
    assert clock.slept == [5.0]
    records.prune({"requests": Keep(DAY)})
    assert clock.slept == [5.0]


def test_rows_of_nobody_go_by_the_rule_of_the_table(records: Records) -> None:
    """A refusal before anybody was known has no tenant."""
    records.append("requests", request_row(1, NOON - 5 * DAY))
    records.append("requests", request_row(2, NOON - 5 * DAY, tenant="a"))
    records.flush()
    records.prune({"requests": Keep(DAY, {"a": 9 * DAY})})
    assert ids(records) == ["r2"]


def test_the_newest_weights_stay(records: Records, clock: FakeClock) -> None:
    """However old: routing goes by them."""
    for age in (9, 8, 7):
        rows = weight_rows(f"w{age}", NOON - age * DAY, a=0.5)
        records.extend("weights", rows)
        records.flush()
    records._reader.objects.tidy("weights/date=2026-02-22")
    records.prune({"weights": Keep(DAY)})
    (left,) = records.scan("weights")["weights_id"].to_pylist()
    assert left == "w7"
    assert records.prune({"weights": Keep(DAY)}).files == Counter()


def test_write_ahead_files_of_the_living_stay(open_records: Open, tmp_path: Path) -> None:
    """Old rows in them are moved, and go with the next run."""
    writer, pruner = open_records(), open_records()
    writer.append("requests", request_row(1, NOON - 9 * DAY))
    pruner.prune({"requests": Keep(DAY)})
    writer.flush()
    assert ids(writer) == ["r1"]
    pruner.prune({"requests": Keep(DAY)})
    assert ids(writer) == []


def test_old_lines_that_no_table_took_go(records: Records, tmp_path: Path) -> None:
    """By the shortest of all rules; a file whose name tells no time stays."""
    wal = tmp_path / "wal"
    wal.mkdir(exist_ok=True)
    for name in (f"{int((NOON - 4 * DAY) * 1e6):016d}-1", f"{int((NOON - DAY) * 1e6):016d}-1", "x"):
        (wal / f"{name}.bad").write_bytes(b"line\n")
    assert records.prune({}).set_aside == 0
    rules = {"requests": Keep(9 * DAY, {"a": 3 * DAY}), "feedback": Keep(5 * DAY)}
    assert records.prune(rules).set_aside == 1
    assert len(list(wal.glob("*.bad"))) == 2


def test_a_file_that_nobody_can_read_stays_and_is_told(records: Records) -> None:
    """Where only some of its date goes."""
    days(records, 3)
    records._reader.objects.put("requests/date=2026-02-27/broken.parquet", b"PAR1")
    done = records.prune({"requests": Keep(None, {"a": DAY})})
    assert done.unreadable == ["requests/date=2026-02-27/broken.parquet"]
    assert done.rows == {"requests": 1}


def test_a_file_that_is_gone_is_no_failure(tmp_path: Path, clock: FakeClock) -> None:
    """Whoever took it away between listing and reading."""

    class Gone(Folder):
        def open(self, entry):
            raise FileNotFoundError(entry.path)

    with Records.open(str(tmp_path), tmp_path / "wal", clock, background=False) as records:
        days(records, 3)
        pruning = Pruning(Reader(Gone(tmp_path)), clock, Held(), 0)
        assert pruning.run({"requests": Keep(None, {"a": DAY})}) == Pruned()


@pytest.mark.parametrize("renewals", range(9))
def test_without_its_lease_it_stops(tmp_path: Path, clock: FakeClock, renewals) -> None:
    """Nothing is lost that should stay; the next run does the rest."""
    rules = {"requests": Keep(3 * DAY, {"a": DAY})}
    with Records.open(str(tmp_path), tmp_path / "wal", clock, background=False) as records:
        days(records, 6)
        Pruning(Reader(Folder(tmp_path)), clock, Held(renewals), 0).run(rules)
        assert {"a0", "a1", "b0", "b1", "b2", "b3"} <= set(ids(records))
        records.prune(rules)
        assert ids(records) == ["a0", "a1", "b0", "b1", "b2", "b3"]


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_step_it_leaves_nothing_broken(tmp_path: Path, clock, after) -> None:
    """What should stay is read once, whatever the step, and the next run does the rest."""
    rules = {"requests": Keep(4 * DAY, {"a": 2 * DAY})}
    left = ["a0", "a1", "a2", "b0", "b1", "b2", "b3", "b4"]
    for step in range(1, 20):
        root = tmp_path / str(step)
        with Records.open(str(root), root / "wal", clock, background=False) as records:
            days(records, 7)
            try:
                Pruning(Reader(Dying(root, step, after=after)), clock, Held(), 0).run(rules)
            except Killed:
                seen = ids(records)
                assert set(left) <= set(seen)
                assert len(seen) == len(set(seen))
                records.prune(rules)
                assert ids(records) == left
                assert records.status()["unreadable"] == 0
            else:
                assert ids(records) == left
                assert step > 4
                return
    pytest.fail("it never came to its end")


def test_readers_go_on_while_many_files_vanish(tmp_path: Path, clock: FakeClock) -> None:
    """However often a file is gone between listing and reading: no failure, and no row twice."""
    with Records.open(str(tmp_path), tmp_path / "wal", clock, background=False) as records:
        for number in range(150):
            clock.time += 0.001
            old = request_row(number, NOON - 5 * DAY, tenant="a" if number % 2 else "b")
            records.append("requests", old)
            records.flush()
        days(records, 1)

        class Slow(Folder):
            """Deletes as slowly as a bucket does, one after another."""

            readers = 1

            def delete(self, path: str) -> None:
                threading.Event().wait(0.002)
                super().delete(path)

        rules = {"requests": Keep(3 * DAY, {"b": 9 * DAY})}
        run = Pruning(Reader(Slow(tmp_path)), clock, Held(), 0).run
        thread = threading.Thread(target=run, args=[rules])
        thread.start()
        counts = []
        while thread.is_alive():
            found = ids(records)
            assert len(found) == len(set(found))
            assert {"a0", "b0", "r0", "r148"} <= set(found)
            counts.append(len(found))
        thread.join()
        assert len(ids(records)) == 77
        assert counts[0] > 77


def test_a_file_that_is_never_there_ends_in_an_error(tmp_path: Path) -> None:
    """Also where it is called otherwise each time."""

    class Gone(Folder):
        turn = 0

        def open(self, entry):
            self.turn += 1
            raise FileNotFoundError(str(self.turn))

    folder = tmp_path / "requests/date=2026-03-01"
    folder.mkdir(parents=True)
    (folder / "a.parquet").touch()
    with pytest.raises(FileNotFoundError, match="1000"):
        Reader(Gone(tmp_path)).scan("requests", ["request_id"])


def test_other_files_stay_as_they_were(records: Records) -> None:
    """A rewritten file has the other rows as they stood, every column of them."""
    days(records, 4)
    before = records.scan("requests", where=[("tenant", "==", "b")]).sort_by("request_id")
    records.prune({"requests": Keep(None, {"a": DAY})})
    after = records.scan("requests", where=[("tenant", "==", "b")]).sort_by("request_id")
    assert after.equals(before)
    assert pa.schema(after.schema).equals(REQUESTS)


@pytest.mark.parametrize(
    ("keep", "age", "over"),
    [
        (Keep(5), 4, None),
        (Keep(5), 5, Over(frozenset(), all_but=True)),
        (Keep(5, {"a": 9}), 5, Over(frozenset("a"), all_but=True)),
        (Keep(5, {"a": 9}), 9, Over(frozenset(), all_but=True)),
        (Keep(5, {"a": 2, "b": 3}), 2, Over(frozenset("a"), all_but=False)),
        (Keep(None, {"a": 2}), 1, None),
        (Keep(), 10**9, None),
    ],
)
def test_what_a_date_has_to_lose(keep, age, over) -> None:
    """By its age since its end."""
    assert keep.over(100.0, 100.0 + age) == over

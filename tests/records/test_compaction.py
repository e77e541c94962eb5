"""Compaction: fewer files, the same rows, whoever writes, reads or dies meanwhile."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ai_gateway.records import Lease, Records, compaction
from ai_gateway.records.objects import Entry, Folder
from ai_gateway.records.reading import Reader
from ai_gateway.records.schema import REQUESTS
from tests.records.conftest import DAY, NOON, FakeClock, Open, ids, request_row


class Held(Lease):
    """A lease that is lost after so many renewals."""

    def __init__(self, renewals: int = 10**9) -> None:
        self.renewals = renewals

    def renew(self) -> bool:
        self.renewals -= 1
        return self.renewals >= 0

    def release(self) -> None:
        """Nothing to let go of."""


def fill(records: Records, clock: FakeClock, files: int, at: float = NOON) -> None:
    """``files`` files of one day, two rows each."""
    start = records.scan("requests", ["request_id"]).num_rows
    for number in range(start, start + 2 * files, 2):
        clock.time += 0.001
        records.extend("requests", [request_row(number, at), request_row(number + 1, at)])
        records.flush()


def count(records: Records) -> int:
    """The files of ``requests``."""
    return len(records._reader.files("requests"))


def test_closed_days_become_one_file(records: Records, clock: FakeClock) -> None:
    """With the same rows, and a second run has nothing to do."""
    fill(records, clock, 5)
    fill(records, clock, 3, at=NOON + DAY)
    clock.time += 2 * DAY
    before = ids(records)
    done = records.compact()
    assert done == compaction.Compaction(written=2, deleted=8, repeated=0)
    assert clock.slept == [5.0]
    assert count(records) == 2
    assert ids(records) == before
    assert records.compact() == compaction.Compaction(0, 0, 0)
    assert clock.slept == [5.0]


def test_the_current_day_keeps_its_newest_files(records: Records, clock: FakeClock) -> None:
    """Its oldest are merged once there are very many, and what came last is left to lie."""
    fill(records, clock, compaction.CURRENT + 1)
    assert records.compact() == compaction.Compaction(0, 0, 0)
    fill(records, clock, 1)
    before = ids(records)
    assert records.compact() == compaction.Compaction(1, 2, 0)
    assert count(records) == compaction.CURRENT + 1
    assert ids(records) == before


def test_a_file_that_comes_late_is_merged_by_the_next_run(
    records: Records, clock: FakeClock
) -> None:
    """As after the recovery of a segment of a closed day."""
    fill(records, clock, 2)
    clock.time += DAY
    records.compact()
    fill(records, clock, 1)
    assert records.compact() == compaction.Compaction(1, 2, 0)
    assert ids(records) == [f"r{number}" for number in range(6)]


def test_rows_that_are_there_twice_are_kept_once(records: Records, clock: FakeClock) -> None:
    """The first one, as readers do."""
    for text in ("first", "second"):
        clock.time += 1
        records.append("requests", request_row(1, output=text))
        records.flush()
    clock.time += DAY
    assert records.compact() == compaction.Compaction(1, 2, 1)
    assert records.scan("requests", ["output"])["output"].to_pylist() == ["first"]


class Dying(Folder):
    """A folder on which nothing can be deleted: the run ends as if it was killed there."""

    def delete(self, path: str) -> None:
        raise KeyboardInterrupt


def test_a_run_that_was_killed_is_finished_by_the_next(tmp_path: Path, clock: FakeClock) -> None:
    """Between writing and deleting rows are there twice and read once; then the sources go."""
    with Records.open(str(tmp_path), tmp_path / "wal", clock, background=False) as records:
        fill(records, clock, 4)
        before = ids(records)
        clock.time += DAY
        with pytest.raises(KeyboardInterrupt):
            compaction.compact(Reader(Dying(tmp_path)), clock, Held(), 0)
        assert count(records) == 5
        assert ids(records) == before
        assert records.compact() == compaction.Compaction(0, 4, 0)
        assert count(records) == 1
        assert ids(records) == before


def test_a_run_that_lost_its_lease_stops(records: Records, clock: FakeClock) -> None:
    """What it has merged is finished, the rest is another's."""
    fill(records, clock, 2)
    fill(records, clock, 2, at=NOON + DAY)
    clock.time += 3 * DAY
    before = ids(records)
    done = compaction.compact(records._reader, clock, Held(renewals=1), 0)
    assert (done.written, done.deleted) == (1, 2)
    assert ids(records) == before


def test_one_run_at_a_time(records: Records) -> None:
    """Another process's lease is respected."""
    with records.lease("compact", "another", 60) or pytest.fail("the lease is free"):
        assert records.compact() is None
    assert records.compact() is not None


def test_two_runs_at_once_lose_nothing(open_records: Open, clock: FakeClock) -> None:
    """Even without the lease: each deletes only what it has written elsewhere."""
    records = open_records()
    fill(records, clock, 12)
    before = ids(records)
    clock.time += DAY
    readers = [Reader(records._objects) for _ in range(3)]
    threads = [
        threading.Thread(target=compaction.compact, args=(reader, clock, Held(), 0))
        for reader in readers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ids(records) == before
    records.compact()
    assert ids(records) == before


def test_writers_and_readers_notice_nothing(open_records: Open, clock: FakeClock) -> None:
    """While days are compacted again and again, every reading finds each row that was there."""
    records, writer = open_records(), open_records()
    fill(records, clock, 3)
    clock.time += DAY
    stop, problems, written = threading.Event(), [], [6]

    def write() -> None:
        for number in range(100, 115):
            writer.append("requests", request_row(number))
            writer.flush()
            written[0] += 1
        stop.set()

    def read() -> None:
        while not stop.is_set():
            least = written[0]
            found = ids(records)
            if len(found) < least or len(set(found)) != len(found):
                problems.append(found)

    threads = [threading.Thread(target=write), threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    runs = 0
    while not stop.is_set() or not runs:
        records.compact(grace=0)
        runs += 1
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(ids(records)) == 21


def test_parts_have_a_size(records: Records, clock: FakeClock, tmp_path: Path) -> None:
    """Batches hold at most a part and a number of files; a large file is left as it is."""
    half = compaction.PART // 2
    entries = [Entry(f"f{number}", half - 1) for number in range(5)]
    sizes = [len(batch) for batch in compaction._batches(entries)]
    assert sizes == [2, 2, 1]
    small = [Entry(f"f{number}", 1) for number in range(compaction._BATCH + 1)]
    assert [len(batch) for batch in compaction._batches(small)] == [compaction._BATCH, 1]


def test_files_that_would_lose_something_are_left_alone(tmp_path: Path, clock: FakeClock) -> None:
    """A broken file, and one with columns of a later version, are neither merged nor deleted."""
    folder = tmp_path / "requests/date=2026-03-01"
    folder.mkdir(parents=True)
    time = pa.array([round(NOON * 1e6)], REQUESTS.field("received_at").type)

    def write(name: str, **columns: Any) -> None:
        table = pa.table({"request_id": [name], "received_at": time, **columns})
        pq.write_table(table, folder / f"{name}.parquet")

    write("a")
    write("b")
    write("c", colour=["red"])
    (folder / "d.parquet").write_bytes(b"broken")
    (folder / "e.0123456789ab.parquet").write_bytes(b"broken")
    write("f.0123456789ab")
    clock.time += DAY
    with Records.open(str(tmp_path), tmp_path / "wal", clock, background=False) as records:
        assert records.compact() == compaction.Compaction(1, 3, 0)
    left = sorted(path.name for path in folder.iterdir())
    assert left[:3] == ["c.parquet", "d.parquet", "e.0123456789ab.parquet"]
    assert len(left) == 4


def test_another_runs_deletions_end_a_merge(tmp_path: Path, clock: FakeClock) -> None:
    """A source that is gone is another run's work: nothing is written, nothing deleted."""

    class Vanishing(Folder):
        def entries(self, prefix: str, after: str = "") -> list[Entry]:
            found = super().entries(prefix, after)
            if found:
                (self.root / found[0].path).unlink()
            return found

    with Records.open(str(tmp_path), tmp_path / "wal", clock, background=False) as records:
        fill(records, clock, 3)
    clock.time += DAY
    done = compaction.compact(Reader(Vanishing(tmp_path)), clock, Held(), 0)
    assert done == compaction.Compaction(0, 0, 0)


def test_leftovers_of_interrupted_writes_are_swept(
    records: Records, tmp_path: Path, clock: FakeClock
) -> None:
    """Temporary files older than a day go; younger ones may be somebody's."""
    folder = tmp_path / "data/tmp"
    folder.mkdir(parents=True)
    for name, age in (("old", 2 * DAY), ("young", 60.0)):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (clock.now() - age, clock.now() - age))
    Folder(tmp_path / "data").sweep(clock.now() - DAY)
    assert [path.name for path in folder.iterdir()] == ["young"]
    assert records.compact() is not None

"""Appending: what is in a segment is not lost, whatever happens to disk and store."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.records import Records, StoreUnavailable, to_rows
from ai_gateway.records.segments import frame
from tests.records.conftest import DAY, NOON, FakeClock, Open, ids, request_row, weight_rows


class Disk:
    """Writes as os.write does while there is room for it."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.broken = False

    def write(self, descriptor: int, data: bytes) -> int:
        if self.broken:
            raise OSError(errno.EIO, "Input/output error")
        if self.room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = os.write(descriptor, data[: self.room])
        self.room -= written
        return written


def test_rows_come_back_as_they_were_appended(records: Records) -> None:
    """A flushed row is read with every column that it had, and nulls in the others."""
    row = request_row(
        verdicts=[{"policy": "p", "rule": "r", "score": 0.5, "start": 1, "end": 2}],
        candidates=[{"model": "model-a", "probability": 1.0, "excluded": None}],
        policies=["p"],
        simulated=False,
        seed=2**52,
    )
    records.append("requests", row)
    records.flush()
    found = to_rows(records.scan("requests"))
    assert len(found) == 1
    assert {name: found[0][name] for name in row if name not in {"verdicts", "candidates"}} == {
        name: value for name, value in row.items() if name not in {"verdicts", "candidates"}
    }
    assert found[0]["verdicts"][0]["rule"] == "r"
    assert found[0]["candidates"][0]["probability"] == 1.0
    assert found[0]["error"] is None


def test_rows_are_readable_in_the_background(open_records: Open, tmp_path: Path) -> None:
    """Without a flush a row is readable within ``move_every`` seconds."""
    records = open_records(background=True, move_every=0.2, clock=SystemClock())
    started = time.monotonic()
    records.append("requests", request_row())
    while not ids(records):
        assert time.monotonic() - started < 5
        time.sleep(0.02)
    assert records.status()["pending"] == 0


def test_nothing_is_written_while_nothing_is_appended(records: Records, tmp_path: Path) -> None:
    """An idle process leaves no files behind."""
    records.flush()
    assert not list(tmp_path.rglob("*.wal"))
    assert ids(records) == []


def test_a_segment_is_unseen_until_it_is_moved(records: Records, clock: FakeClock) -> None:
    """Rows that were appended but not moved are pending, and their age is the lag."""
    records.append("requests", request_row())
    clock.time += 3
    status = records.status()
    assert (status["appended"], status["pending"], status["lag"]) == (1, 1, 3.0)
    records.flush()
    status = records.status()
    assert (status["moved"], status["pending"], status["lag"]) == (1, 0, 0.0)
    assert status["alert"] is None


def test_a_segment_lies_in_the_folders_of_its_rows_dates(records: Records) -> None:
    """Each row goes to the partition of its own UTC date."""
    records.extend("requests", [request_row(1), request_row(2, at=NOON + DAY)])
    records.flush()
    assert records.scan("requests", until=NOON + 1).num_rows == 1
    assert records.scan("requests", since=NOON + 1).num_rows == 1


def test_extend_keeps_a_publication_in_one_file(records: Records) -> None:
    """Rows that are appended together are found together by ``latest``."""
    records.extend("weights", weight_rows("w1", a=0.5, b=0.6))
    records.extend("weights", [])
    records.flush()
    found = records.latest("weights")
    assert found is not None
    assert found[1].num_rows == 2


def test_a_full_disk_fails_nobody(open_records: Open) -> None:
    """Rows that the disk does not take wait in memory, with an alert, until it takes them."""
    disk = Disk(room=1000)
    records = open_records(write=disk.write)
    for number in range(10):
        records.append("requests", request_row(number))
    status = records.status()
    assert status["queued"] > 0
    assert status["pending"] == 10
    assert status["wal_errors"] > 0
    assert "memory only" in status["alert"]
    with pytest.raises(StoreUnavailable, match="memory only"):
        records.flush()
    disk.room = 10**9
    records.flush()
    assert ids(records) == sorted(f"r{number}" for number in range(10))
    assert records.status()["alert"] is None
    assert records.status()["set_aside"] == 0


def test_a_short_write_leaves_no_broken_middle(open_records: Open, tmp_path: Path) -> None:
    """After a line that was cut by a full disk the next one starts on a line of its own."""
    disk = Disk(room=len(frame("requests", b"{}")) + 3)
    records = open_records(write=disk.write)
    records.append("requests", request_row(1))
    disk.room = 10**9
    records.append("requests", request_row(2))
    segment = next((tmp_path / "wal").glob("*.wal"))
    assert segment.read_bytes().count(b"\n") == 1
    records.flush()
    assert ids(records) == ["r1", "r2"]


def test_a_failing_disk_is_no_error_either(open_records: Open) -> None:
    """A write that fails outright is repaired and tried again like a short one."""
    disk = Disk(room=10**9)
    records = open_records(write=disk.write)
    records.append("requests", request_row(1))
    disk.broken = True
    records.append("requests", request_row(2))
    assert "Input/output error" in records.status()["alert"]
    disk.broken = False
    records.flush()
    assert ids(records) == ["r1", "r2"]


def test_what_no_memory_is_left_for_is_counted_as_lost(open_records: Open) -> None:
    """The queue is bounded: beyond it rows are lost, and the alert says how many."""
    disk = Disk(room=0)
    records = open_records(write=disk.write, queue_bytes=1000)
    for number in range(20):
        records.append("requests", request_row(number))
    status = records.status()
    assert status["lost"] + status["queued"] == 20
    assert status["lost"] > 0
    assert status["alert"] == f"{status['lost']} records are lost: the write-ahead disk is full"
    disk.room = 10**9
    records.flush()
    assert len(ids(records)) == status["queued"]


def test_a_write_ahead_folder_that_cannot_be_made_is_an_alert(
    open_records: Open, tmp_path: Path
) -> None:
    """Appending works, in memory only, while the folder cannot be created."""
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    records = open_records(wal=tmp_path / "file" / "wal")
    records.append("requests", request_row())
    assert records.status()["queued"] == 1


def test_a_real_quota_loses_nothing(tmp_path: Path) -> None:
    """With RLIMIT_FSIZE reached, every row is stored once the limit is lifted."""
    script = """
import resource, sys
from pathlib import Path
from ai_gateway.clock import SystemClock
from ai_gateway.records import Records
folder = Path(sys.argv[1])
records = Records.open(str(folder / "data"), folder / "wal", SystemClock(), background=False)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
for number in range(50):
    records.append("requests", {"request_id": f"r{number}", "received_at": 1772366400000000})
queued = records.status()["queued"]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
records.flush()
print(queued, records.scan("requests", ["request_id"]).num_rows)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert int(found[0]) > 0
    assert found[1] == "50"


def test_a_store_that_is_away_is_waited_for(tmp_path: Path, clock: FakeClock) -> None:
    """Rows stay in one growing segment while the store is away, and are moved when it is back."""
    blocked = tmp_path / "data"
    blocked.write_text("in the way", encoding="utf-8")
    records = Records.open(str(blocked), tmp_path / "wal", clock, background=False)
    for number in range(3):
        records.append("requests", request_row(number))
        with pytest.raises(StoreUnavailable):
            records.flush()
    status = records.status()
    assert status["store_errors"] >= 3
    assert status["alert"].startswith("records cannot be moved")
    assert status["pending"] == 3
    assert len(list((tmp_path / "wal").glob("*.wal"))) == 2
    blocked.unlink()
    records.flush()
    assert ids(records) == ["r0", "r1", "r2"]
    assert records.status()["alert"] is None
    records.close()


def test_a_bucket_that_is_away_is_waited_for(s3_endpoint: str, tmp_path: Path) -> None:
    """An endpoint that refuses connections fails neither the opening nor an append."""
    address = "s3://records/x?endpoint_override=127.0.0.1:9&scheme=http&region=us-east-1"
    with Records.open(address, tmp_path / "wal", FakeClock(), background=False) as records:
        records.append("requests", request_row())
        with pytest.raises(StoreUnavailable):
            records.flush()
        with pytest.raises(StoreUnavailable):
            records.scan("requests")
        assert "127.0.0.1" not in str(records.status()["alert"])
    assert len(list((tmp_path / "wal").glob("*.wal"))) == 1


def test_a_large_segment_is_moved_early(open_records: Open, tmp_path: Path) -> None:
    """A segment of ``segment_bytes`` does not wait for the next regular move."""
    records = open_records(
        background=True, move_every=3600, segment_bytes=2000, clock=SystemClock()
    )
    time.sleep(0.2)
    for number in range(20):
        records.append("requests", request_row(number))
    started = time.monotonic()
    while not ids(records):
        assert time.monotonic() - started < 20
        time.sleep(0.05)


def test_large_segments_pile_up_while_the_store_is_away(tmp_path: Path, clock: FakeClock) -> None:
    """A segment that is full is closed even then, so that no move takes too much memory."""
    blocked = tmp_path / "data"
    blocked.write_text("in the way", encoding="utf-8")
    records = Records.open(
        str(blocked), tmp_path / "wal", clock, background=False, segment_bytes=100
    )
    for number in range(3):
        records.append("requests", request_row(number))
        with pytest.raises(StoreUnavailable):
            records.flush()
    assert len(list((tmp_path / "wal").glob("*.wal"))) == 3
    blocked.unlink()
    records.close()
    assert ids(records) == ["r0", "r1", "r2"]


@pytest.mark.parametrize(
    "value",
    ["\ud83d alone", 2**70, {1: "number as a key"}, object()],
    ids=["lone surrogate", "large integer", "number as a key", "no JSON at all"],
)
def test_what_json_cannot_hold_loses_no_row(records: Records, value: Any) -> None:
    """A value that cannot be written as JSON costs itself at most, never the append."""
    records.append("requests", request_row(1, output="\ud83d x"))
    records.append("requests", request_row(2, surprise=value))
    records.flush()
    assert ids(records) == ["r1", "r2"]
    assert to_rows(records.scan("requests", ["output"]))[0]["output"] == "? x"


def test_closing_moves_what_is_left(open_records: Open, tmp_path: Path) -> None:
    """After ``close`` every row is readable and no segment is left; closing twice is fine."""
    records = open_records(background=True, move_every=3600)
    records.append("requests", request_row())
    records.close()
    records.close()
    assert ids(records) == ["r0"]
    assert not list((tmp_path / "wal").glob("*.wal"))


def test_a_segment_without_a_row_is_cleared_away(open_records: Open, tmp_path: Path) -> None:
    """When the disk was full from the first row on, closing leaves no empty segment."""
    records = open_records(write=Disk(room=0).write)
    records.append("requests", request_row())
    assert len(list((tmp_path / "wal").glob("*.wal"))) == 1
    records.close()
    assert not list((tmp_path / "wal").glob("*.wal"))


def test_closing_waits_no_longer_than_it_was_told(tmp_path: Path, clock: FakeClock) -> None:
    """A store that hangs does not keep the process from ending."""
    hang = threading.Event()

    def slow(descriptor: int, data: bytes) -> int:
        if threading.current_thread().name == "records-mover":
            hang.wait(10)
        raise OSError(errno.EIO, "Input/output error")

    records = Records.open(str(tmp_path), tmp_path / "wal", clock, background=False, write=slow)
    records.append("requests", request_row())
    started = time.monotonic()
    records.close(timeout=0.1)
    assert time.monotonic() - started < 5
    hang.set()


def test_records_cost_no_pyarrow_until_they_are_moved(tmp_path: Path) -> None:
    """Opening and appending import neither pyarrow nor obstore."""
    script = """
import sys
import threading
import time
from pathlib import Path
from ai_gateway.clock import SystemClock
from ai_gateway.records import Records
folder = Path(sys.argv[1])
records = Records.open(str(folder / "data"), folder / "wal", SystemClock(), background=False)
records.append("requests", {"request_id": "r", "received_at": 1})
assert records.latest("weights") is None
records.status()
assert not {"pyarrow", "obstore", "pandas"} & set(sys.modules)
records.flush()
records.scan("requests")
assert not {"pyarrow.dataset", "obstore", "pandas"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)

"""Recovery: a dead process's segment is moved by the next to come, once, whatever it ended in."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from ai_gateway.records import Records, StoreUnavailable, segments
from ai_gateway.records.objects import Folder
from ai_gateway.records.writeahead import WriteAhead
from tests.records.conftest import NOON, FakeClock, Open, ids, request_row


def abandon(folder: Path, lines: bytes, name: str = "0001772366400000-dead") -> Path:
    """A segment as a dead process leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.wal"
    path.write_bytes(lines)
    return path


def line(number: int, **columns: Any) -> bytes:
    """One request as it stands in a segment."""
    return segments.frame("requests", orjson.dumps(request_row(number, **columns)))


def test_a_dead_processs_rows_are_moved(open_records: Open, tmp_path: Path) -> None:
    """Whoever opens the folder next moves them and counts them as recovered."""
    path = abandon(tmp_path / "wal", line(1) + line(2))
    records = open_records()
    records.flush()
    assert ids(records) == ["r1", "r2"]
    assert records.status()["recovered"] == 2
    assert not path.exists()


def test_a_living_processs_segment_is_left_alone(open_records: Open, tmp_path: Path) -> None:
    """A segment is moved by its own process as long as that holds the lock."""
    writer, other = open_records(), open_records()
    writer.append("requests", request_row(1))
    other.append("requests", request_row(2))
    other.flush()
    assert ids(other) == ["r2"]
    writer.flush()
    assert ids(other) == ["r1", "r2"]


def test_a_half_written_tail_is_dropped(open_records: Open, tmp_path: Path) -> None:
    """The last line of a killed writer may be torn: it is dropped, counted, and costs no other."""
    abandon(tmp_path / "wal", line(1) + line(2)[:-20])
    records = open_records()
    records.flush()
    assert ids(records) == ["r1"]
    assert records.status()["dropped_tail"] == 1
    assert records.status()["set_aside"] == 0


@pytest.mark.parametrize(
    "damage",
    [
        b"\0" * 50,
        b"",
        b"requests 00000000 null",
        b"no such format",
        line(9)[:-1].replace(b"question", b"quest\xffon"),
        segments.frame("elsewhere", b"{}")[:-1],
        segments.frame("requests", b'{"request_id":"x"}')[:-1],
        segments.frame("requests", b'{"received_at":1}')[:-1],
        segments.frame("requests", b'{"request_id":"x","received_at":-1}')[:-1],
        segments.frame("requests", b'{"request_id":"x","received_at":999999999999999999}')[:-1],
        segments.frame("requests", orjson.dumps(request_row(9, status="fine")))[:-1],
        segments.frame("requests", orjson.dumps(request_row(9, verdicts={})))[:-1],
        segments.frame("requests", orjson.dumps(request_row(9)) * 2)[:-1],
    ],
)
def test_a_line_that_no_table_takes_is_kept_aside(
    open_records: Open, tmp_path: Path, damage: bytes
) -> None:
    """It is skipped, counted and kept in a ``.bad`` file, and costs no other line."""
    path = abandon(tmp_path / "wal", line(1) + damage + b"\n" + line(2))
    records = open_records()
    records.flush()
    assert ids(records) == ["r1", "r2"]
    assert records.status()["set_aside"] == 1
    assert path.with_suffix(".bad").read_bytes() == damage + b"\n"


def test_columns_that_the_schema_does_not_know_are_kept_aside(
    open_records: Open, tmp_path: Path
) -> None:
    """The row is stored without them, so that no reader misses it; its line is kept in full."""
    nested = line(2, verdicts=[{"policy": "p", "colour": "red"}])
    path = abandon(tmp_path / "wal", line(1, colour="blue") + nested + line(3))
    records = open_records()
    records.flush()
    assert ids(records) == ["r1", "r2", "r3"]
    assert records.status()["set_aside"] == 2
    kept = path.with_suffix(".bad").read_bytes()
    assert b'"colour":"blue"' in kept
    assert b'"colour":"red"' in kept


def test_an_empty_segment_is_cleared_away(open_records: Open, tmp_path: Path) -> None:
    """A process that died before its first row leaves nothing to recover."""
    path = abandon(tmp_path / "wal", b"")
    records = open_records()
    records.flush()
    assert not path.exists()


def test_a_move_that_is_repeated_changes_nothing(open_records: Open, tmp_path: Path) -> None:
    """Killed between the file and the end of its segment, the same file is written again."""
    lines = line(1) + line(2)
    for _ in range(2):
        abandon(tmp_path / "wal", lines)
        records = open_records()
        records.flush()
    assert ids(records) == ["r1", "r2"]
    assert len(records._reader.files("requests")) == 1


def test_two_openers_at_once_neither_lose_nor_double(open_records: Open, tmp_path: Path) -> None:
    """Of many who find dead segments at the same time, one moves each."""
    for number in range(20):
        abandon(tmp_path / "wal", line(number), f"{number:016d}-dead")
    opened = [open_records() for _ in range(4)]
    threads = [threading.Thread(target=each.flush) for each in opened]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ids(opened[0]) == sorted(f"r{number}" for number in range(20))
    assert sum(each.status()["recovered"] for each in opened) == 20


def test_a_segment_whose_set_aside_lines_cannot_be_kept_stays(
    open_records: Open, tmp_path: Path
) -> None:
    """A full disk keeps the segment, not only what of it was readable."""
    path = abandon(tmp_path / "wal", b"damage\n" + line(1))
    path.with_suffix(".bad").mkdir()
    records = open_records()
    with pytest.raises(StoreUnavailable, match="cannot be moved"):
        records.flush()
    assert path.exists()
    path.with_suffix(".bad").rmdir()
    records.flush()
    assert ids(records) == ["r1"]


def test_one_bad_segment_stops_no_other(open_records: Open, tmp_path: Path) -> None:
    """A segment that cannot be moved waits; the ones behind it are moved."""
    first = abandon(tmp_path / "wal", b"damage\n" + line(1), "0000-dead")
    first.with_suffix(".bad").mkdir()
    abandon(tmp_path / "wal", line(2), "0001-dead")
    records = open_records()
    with pytest.raises(StoreUnavailable):
        records.flush()
    assert "r2" in ids(records)
    assert first.exists()
    first.with_suffix(".bad").rmdir()


class Faulty(Folder):
    """A folder whose first write fails in a way that nobody foresaw."""

    failed = False

    def put(self, path: str, data: bytes | memoryview) -> None:
        if not self.failed:
            self.failed = True
            raise ZeroDivisionError
        super().put(path, data)


def test_an_unforeseen_failure_keeps_the_segment(tmp_path: Path, clock: FakeClock) -> None:
    """The mover outlives any exception, and the rows are still there for the next."""
    ahead = WriteAhead(tmp_path / "wal", clock, os.write, 10**6, 10**6)
    records = Records(Faulty(tmp_path / "data"), ahead, clock, 5.0, 0)
    records.append("requests", request_row())
    with pytest.raises(StoreUnavailable, match="ZeroDivisionError"):
        records.flush()
    records.flush()
    assert ids(records) == ["r0"]
    records.close()


def test_a_write_ahead_folder_that_cannot_be_listed_is_an_alert(
    tmp_path: Path, clock: FakeClock
) -> None:
    """Own rows are moved all the same."""
    records = Records.open(str(tmp_path / "data"), tmp_path / "wal", clock, background=False)
    records.append("requests", request_row())
    (tmp_path / "wal" / "0000-link.wal").symlink_to(tmp_path / "wal" / "0000-link.wal")
    records.flush()
    assert records.status()["store_errors"] == 1
    assert ids(records) == ["r0"]
    records.close()


def test_a_recovery_that_is_faster_than_the_lock_is_noticed(tmp_path: Path) -> None:
    """A new file that was locked or deleted before its writer could lock it is not used."""
    path = tmp_path / "a.wal"
    first, second = (os.open(path, os.O_CREAT | os.O_RDWR) for _ in range(2))
    fcntl.flock(first, fcntl.LOCK_EX)
    assert not segments._lock(second, path)
    path.unlink()
    os.close(first)
    gone = os.open(tmp_path / "b.wal", os.O_CREAT | os.O_RDWR)
    (tmp_path / "b.wal").unlink()
    assert not segments._lock(gone, tmp_path / "b.wal")
    replaced = os.open(tmp_path / "d.wal", os.O_CREAT | os.O_RDWR)
    (tmp_path / "d.wal").rename(tmp_path / "e.wal")
    (tmp_path / "d.wal").touch()
    assert not segments._lock(replaced, tmp_path / "d.wal")
    assert segments.adopt(tmp_path / "c.wal") is None


def test_a_segment_that_was_taken_at_birth_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recovery that locks a new, empty file first leaves its writer with another one."""
    real, busy = fcntl.flock, [True]

    def flock(descriptor: int, operation: int) -> None:
        if busy:
            busy.clear()
            raise BlockingIOError
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    segment = segments.create(tmp_path, NOON)
    assert len(list(tmp_path.glob("*.wal"))) == 2
    segment.release()


WRITER = """
import os, sys
from pathlib import Path
from ai_gateway.clock import SystemClock
from ai_gateway.records import Records
data, wal, name = sys.argv[1:]
records = Records.open(data, Path(wal), SystemClock(), move_every=0.05)
os.write(1, b"ready\\n")
for number in range(10**9):
    identity = f"{name}-{number}"
    row = {"request_id": identity, "received_at": 1772366400000000, "output": "x" * 500}
    records.append("requests", row)
    os.write(1, identity.encode() + b"\\n")
"""


def start(data: Path, wal: Path, name: str) -> subprocess.Popen[bytes]:
    """A process that appends rows as fast as it can and says which are acknowledged."""
    command = [sys.executable, "-c", WRITER, str(data), str(wal), name]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"ready\n"
    return writer


def acknowledged(writer: subprocess.Popen[bytes]) -> list[str]:
    """Kill it, and return the ids that it had acknowledged."""
    output = b""
    killer = threading.Timer(0.3 + Random().random() * 0.5, writer.send_signal, [signal.SIGKILL])
    killer.start()
    assert writer.stdout is not None
    output = writer.stdout.read()
    writer.wait()
    writer.stdout.close()
    return output.decode().split("\n")[:-1]


@pytest.mark.slow
def test_kill_9_loses_no_acknowledged_row(tmp_path: Path) -> None:
    """Two writers at once, killed at random moments, five times: every row is found, once."""
    data, wal = tmp_path / "data", tmp_path / "wal"
    known: list[str] = []
    for turn in range(5):
        writers = [start(data, wal, f"{turn}{name}") for name in "ab"]
        threads = [
            threading.Thread(target=lambda each=each: known.extend(acknowledged(each)))
            for each in writers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    records = Records.open(str(data), wal, FakeClock(NOON), background=False)
    records.flush()
    found = Counter(ids(records))
    assert len(known) > 100
    assert set(known) <= set(found)
    assert set(found.values()) == {1}
    assert records.status()["set_aside"] == 0
    records.close()
    assert not list(wal.glob("*.wal"))


@pytest.mark.slow
def test_two_processes_write_at_once(tmp_path: Path) -> None:
    """Both processes' rows are readable while both live."""
    data, wal = tmp_path / "data", tmp_path / "wal"
    writers = [start(data, wal, name) for name in "ab"]
    drains = [threading.Thread(target=writer.stdout.read) for writer in writers if writer.stdout]
    for drain in drains:
        drain.start()
    records = Records.open(str(data), tmp_path / "other", FakeClock(NOON), background=False)
    deadline = time.monotonic() + 10
    while {each[0] for each in ids(records)} != {"a", "b"}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for writer in writers:
        writer.kill()
        writer.wait()
    for drain in drains:
        drain.join()
    for writer in writers:
        if writer.stdout:
            writer.stdout.close()
    records.close()

"""The outbox: what was put into it is there until it is done, whoever dies in between."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.records import segments
from ai_gateway.records.keyring import Keyring
from ai_gateway.records.outbox import Outbox, waiting


def files(folder: Path) -> list[Path]:
    """The segments that are there."""
    return sorted(folder.glob("*.wal"))


def left(folder: Path) -> list[bytes]:
    """What all files hold that is not done."""
    return [body for path in files(folder) for body in waiting(path.read_bytes())]


def outbox(folder: Path, **more) -> Outbox:
    """A process's part of the folder."""
    return Outbox(folder, SystemClock(), **more)


def test_what_is_put_is_on_disk_until_it_is_done(tmp_path: Path) -> None:
    """Each entry by itself, in any order; nothing is left of a file whose entries are all done."""
    box = outbox(tmp_path)
    first, second, third = (box.put(body) for body in (b"a 1", b"b 2", b"c 3"))
    assert left(tmp_path) == [b"a 1", b"b 2", b"c 3"]
    box.done(second)
    assert left(tmp_path) == [b"a 1", b"c 3"]
    box.done(first)
    box.done(third)
    box.done(third)
    assert [path.stat().st_size for path in files(tmp_path)] == [0]
    box.put(b"d")
    assert left(tmp_path) == [b"d"]


def test_the_next_process_adopts_what_a_dead_one_left(tmp_path: Path) -> None:
    """It is in a file of its own from then on; a living process keeps its own."""
    dead, living = outbox(tmp_path), outbox(tmp_path)
    done = dead.put(b"1")
    dead.put(b"2")
    dead.put(b"3")
    living.put(b"4")
    dead.done(done)
    assert outbox(tmp_path).adopt() == []
    dead.close()
    heir = outbox(tmp_path)
    assert [slip.body for slip in heir.adopt()] == [b"2", b"3"]
    assert len(files(tmp_path)) == 2
    assert sorted(left(tmp_path)) == [b"2", b"3", b"4"]
    assert heir.adopt() == []


def test_closing_leaves_nothing_behind_where_nothing_waits(tmp_path: Path) -> None:
    """An empty file goes, and what is done after the end touches no file."""
    box = outbox(tmp_path)
    slip = box.put(b"1")
    box.done(slip)
    box.close()
    assert files(tmp_path) == []
    late = outbox(tmp_path)
    slip = late.put(b"2")
    late.close()
    late.done(slip)
    assert left(tmp_path) == [b"2"]


def test_a_file_that_is_full_is_followed_by_another(tmp_path: Path) -> None:
    """The old one goes once nothing in it waits."""
    box = outbox(tmp_path, segment_bytes=1)
    first, second = box.put(b"1"), box.put(b"2")
    assert len(files(tmp_path)) == 2
    box.done(first)
    assert left(tmp_path) == [b"2"]
    assert len(files(tmp_path)) == 1
    box.done(second)
    assert left(tmp_path) == []


def test_a_few_that_wait_keep_no_files(tmp_path: Path) -> None:
    """However much is done after them, they are written anew and their files go."""
    box = outbox(tmp_path, segment_bytes=200)
    stuck = []
    for number in range(300):
        slip = box.put(b"%d" % number)
        if number % 50:
            box.done(slip)
        else:
            stuck.append(slip)
    assert len(files(tmp_path)) <= 9
    assert sorted(left(tmp_path), key=int) == [b"%d" % number for number in range(0, 300, 50)]
    for slip in stuck:
        box.done(slip)
    assert left(tmp_path) == []


def test_a_damaged_line_costs_no_other(tmp_path: Path, caplog) -> None:
    """A half-written tail, and a byte that changed, are left out and told."""
    box = outbox(tmp_path)
    slips = [box.put(b"%d" % number) for number in range(4)]
    box.done(slips[3])
    box.close()
    (path,) = files(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"1\n", b"x\n")
    path.write_bytes(b"".join(lines) + b"event 0000")
    assert [slip.body for slip in outbox(tmp_path).adopt()] == [b"0", b"2"]
    assert caplog.text.count("damaged") == 2


def test_a_full_disk_says_so_and_leaves_no_half_a_line(tmp_path: Path) -> None:
    """What could not be put is not there; what comes next is."""
    full = [False]

    def write(descriptor: int, data: bytes) -> int:
        return os.write(descriptor, data[:5] if full[0] else data)

    box = outbox(tmp_path, write=write)
    box.put(b"1")
    full[0] = True
    with pytest.raises(OSError, match="part of a line"):
        box.put(b"2")
    full[0] = False
    box.put(b"3")
    box.close()
    assert left(tmp_path) == [b"1", b"3"]


def test_what_cannot_be_struck_out_comes_again(tmp_path: Path, caplog) -> None:
    """A disk that fails just then has it delivered twice, rather than not at all."""
    failing = [False]

    def write(descriptor: int, data: bytes) -> int:
        if failing[0]:
            raise OSError(errno.EIO, "Input/output error")
        return os.write(descriptor, data)

    box = outbox(tmp_path, write=write)
    first = box.put(b"1")
    box.put(b"2")
    failing[0] = True
    box.done(first)
    box.close()
    assert left(tmp_path) == [b"1", b"2"]
    assert "still in the outbox" in caplog.text


def test_what_cannot_be_adopted_stays_where_it_is(tmp_path: Path, caplog) -> None:
    """A disk that is full in the middle of it loses nothing and doubles nothing."""
    dead = outbox(tmp_path)
    for number in range(3):
        dead.put(b"%d" % number)
    dead.close()
    calls = []

    def write(descriptor: int, data: bytes) -> int:
        calls.append(data)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(descriptor, data)

    heir = outbox(tmp_path, write=write)
    assert heir.adopt() == []
    assert "No space" in caplog.text
    assert left(tmp_path) == [b"0", b"1", b"2"]
    assert [slip.body for slip in heir.adopt()] == [b"0", b"1", b"2"]


def test_a_file_that_cannot_be_adopted_holds_up_no_other(tmp_path: Path, caplog) -> None:
    """What came before it is not lost on the way, what comes behind it is adopted; told once."""
    encrypting = Keyring([b"k" * 32])
    for number, keys in enumerate((None, encrypting, None)):
        dead = outbox(tmp_path, keys=keys)
        dead.put(b"%d" % number)
        dead.close()
    heir = outbox(tmp_path)
    assert [slip.body for slip in heir.adopt()] == [b"0", b"2"]
    assert heir.adopt() == []
    assert caplog.text.count("the outbox cannot be read") == 1
    assert [slip.body for slip in outbox(tmp_path, keys=encrypting).adopt()] == [b"1"]


def test_much_that_waits_is_not_written_again_and_again(tmp_path: Path) -> None:
    """However many files are full of what waits, an entry costs about its own size."""
    written = []

    def write(descriptor: int, data: bytes) -> int:
        written.append(len(data))
        return os.write(descriptor, data)

    box = outbox(tmp_path, segment_bytes=1000, write=write)
    for number in range(1000):
        box.put(b"%04d" % number)
    assert len(written) == 1000
    assert sorted(left(tmp_path)) == [b"%04d" % number for number in range(1000)]


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    """Nobody has written yet."""
    assert outbox(tmp_path / "none").adopt() == []
    assert segments.abandoned(tmp_path / "none", frozenset()) == []

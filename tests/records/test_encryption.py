"""Records that are encrypted at rest: read as ever with the key, and not at all without."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ai_gateway.records import Records, StoreUnavailable, rewriting, to_rows
from ai_gateway.records.erasing import Whose
from ai_gateway.records.keyring import Encrypted, Keyring
from ai_gateway.records.ledger import Asked
from ai_gateway.records.outbox import Outbox
from ai_gateway.records.subject import RULES, Subject
from ai_gateway.records.versions import Versions
from tests.records.conftest import DAY, NOON, FakeClock, request_row

MARKER = "a-marker-that-nobody-may-find"
OLD, NEW = Keyring([os.urandom(32)]), Keyring([os.urandom(16)])
#: After a rotation: the new key writes, both read.
BOTH = Keyring([NEW.first.secret, OLD.first.secret])
Opens = Callable[..., Any]


@pytest.fixture
def opens(address: str, tmp_path: Path, clock: FakeClock) -> Opens:
    """Records with a keyring, in a folder and in a bucket."""

    def run(keyring: Keyring | None, **options: Any) -> Records:
        return Records.open(
            address, tmp_path / "wal", clock, background=False, keyring=keyring, **options
        )

    return run


def told(number: int, at: float = NOON, **columns: Any) -> dict[str, Any]:
    """A request that says the marker."""
    return request_row(number, at, **{"input": MARKER, "output": f"{MARKER} {number}", **columns})


def ids(records: Records) -> list[str]:
    """Of all requests, sorted."""
    return sorted(records.scan("requests", ["request_id"])["request_id"].to_pylist())


def files(records: Records) -> list[bytes]:
    """The bytes of every Parquet file of requests."""
    objects = records._objects
    found = []
    for entry in records._reader.files("requests"):
        source = objects.open(entry)
        found.append(Path(source).read_bytes() if isinstance(source, str) else source.read())
    return found


def holding(folder: Path, marker: bytes = MARKER.encode()) -> list[str]:
    """The files below a folder that hold the marker."""
    found = [path for path in folder.rglob("*") if path.is_file() and marker in path.read_bytes()]
    return [path.name for path in found]


def test_a_long_segment_is_moved_piece_by_piece(opens: Opens) -> None:
    """Where a line begins is bound to it, in every piece."""
    with opens(OLD) as records:
        for number in range(8):
            records.append("requests", told(number, output=f"{number}" * 1_000_000))
        records.flush()
        assert len(ids(records)) == 8
        assert (records.status()["moved"], records.status()["set_aside"]) == (8, 0)


def test_rows_are_read_with_the_key_alone(opens: Opens, tmp_path: Path) -> None:
    """Written, moved and compacted; no file holds the text, nor can one be opened without."""
    with opens(OLD) as records:
        for day in (2, 1, 0):
            for number in range(3):
                records.append("requests", told(number + 3 * day, NOON - day * DAY))
                assert holding(tmp_path) == []
                records.flush()
        assert len(ids(records)) == 9
        done = records.compact(grace=0)
        assert done.written == 2
        assert {row["input"] for row in to_rows(records.scan("requests"))} == {MARKER}
        newest = records.newest("requests", 2, ["output"])
        assert all(MARKER in each for each in newest["output"].to_pylist())
        stored = files(records)
    assert holding(tmp_path) == []
    for data in stored:
        assert (data[:4], data[-4:]) == (b"PARE", b"PARE")
        assert b"request_id" not in data
        with pytest.raises(OSError, match="no decryption found"):
            pq.ParquetFile(pa.BufferReader(data))


@pytest.mark.parametrize("other", [None, NEW])
def test_without_the_key_a_reader_is_told(opens: Opens, other: Keyring | None) -> None:
    """No key and a wrong key are one clear error each, which names the file; nothing crashes."""
    with opens(OLD) as records:
        records.append("requests", told(1))
    with opens(other) as records:
        for ask in (
            lambda: records.scan("requests"),
            lambda: records.newest("requests", 1, ["request_id"]),
            lambda: records.latest("requests"),
            lambda: records.unseen("requests", ()),
            lambda: records.count(Subject(tenants=frozenset("a"))),
        ):
            with pytest.raises(Encrypted, match=r"^\[Errno 5\] requests/date=.*parquet is encr"):
                ask()
        assert records.compact(grace=0) is not None
        records.append("requests", told(2))
        records.flush()  # writing goes on


def test_keys_are_rotated(opens: Opens) -> None:
    """The first key writes; what older ones wrote, and what was plain before, is read."""
    for number, keyring in enumerate((None, OLD, BOTH)):
        with opens(keyring) as records:
            records.append("requests", told(number, NOON - DAY))
            records.flush()
            assert len(ids(records)) == number + 1
    with opens(BOTH) as records:
        assert sorted(data[:4] for data in files(records)) == [b"PAR1", b"PARE", b"PARE"]
        assert records.compact(grace=0).written == 1  # and all of it is of the new key now
    with opens(NEW) as records:
        assert ids(records) == ["r0", "r1", "r2"]
        assert [data[:4] for data in files(records)] == [b"PARE"]


@contextmanager
def killed(records: Records) -> Any:
    """As if the process ended after the block: its segments stay."""
    yield
    records._ahead.release()


def test_a_dead_process_is_recovered_with_its_key(opens: Opens, tmp_path: Path) -> None:
    """Its segment waits for the key, and stops no other one; the operator is told which."""
    records = opens(OLD)
    with killed(records):
        records.append("requests", told(1))
        records.append("requests", told(2))
    for other in (None, NEW):
        records = opens(other)
        records.append("requests", told(3 if other else 4))
        for _ in range(2):
            records.flush()
            status = records.status()
            assert (status["moved"], status["set_aside"], status["pending"]) == (1, 0, 0)
            assert f"is encrypted with the key {OLD.first.name}" in status["alert"]
        records.close()
    assert len(list((tmp_path / "wal").glob("*.wal"))) == 1
    with opens(BOTH) as records:
        records.append("requests", told(5))
        records.flush()
        assert (records.status()["recovered"], records.status()["alert"]) == (2, None)
    with opens(BOTH) as records:
        # Each of the two others was written with what its own process had.
        assert ids(records) == ["r1", "r2", "r3", "r4", "r5"]


@pytest.mark.parametrize("cut", [1, 2, 20, 200])
def test_a_half_written_tail_is_dropped(opens: Opens, tmp_path: Path, cut: int) -> None:
    """A process that died in a write loses what it had not acknowledged, and nothing else."""
    records = opens(OLD)
    with killed(records):
        records.append("requests", told(1))
        records.append("requests", told(2))
    path = next((tmp_path / "wal").glob("*.wal"))
    path.write_bytes(path.read_bytes()[:-cut])
    with opens(OLD) as records:
        records.flush()
        assert ids(records) == ["r1"]
        assert records.status()["dropped_tail"] == 1


def test_a_line_that_was_tampered_with_is_set_aside(opens: Opens, tmp_path: Path) -> None:
    """Swapped lines are no rows; what is set aside is encrypted too, and erased from."""
    records = opens(OLD)
    with killed(records):
        records.append("requests", told(1))
        records.append("requests", told(2))
        records.append("requests", told(3, unheard_of=MARKER))
    path = next((tmp_path / "wal").glob("*.wal"))
    first, second, third = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(second + first + third)
    with opens(OLD) as records:
        records.flush()
        assert ids(records) == ["r3"]
        assert records.status()["set_aside"] == 3
        assert holding(tmp_path) == []
        assert len(list((tmp_path / "wal").glob("*.bad"))) == 1
        erasure = asked(requests=["r3"])
        assert records.erase(erasure, grace=0).progress.lines == 1
        assert records.status()["alert"] is None


def asked(**ids: Any) -> Asked:
    """An erasure of what is named by ids."""
    subject = Subject(**{kind: frozenset(each) for kind, each in ids.items()}, until=NOON + 10)
    return Asked("e1", subject, NOON + 10, "admin", "5a17")


def test_rows_are_erased_from_encrypted_files(opens: Opens, tmp_path: Path) -> None:
    """What is left is encrypted again; the ledger is too, and its reports fit their chain."""
    with opens(OLD) as records:
        for number in range(4):
            records.append("requests", told(number, tenant="a" if number % 2 else MARKER))
        records.flush()
        outcome = records.erase(asked(tenants=[MARKER]), grace=0)
        assert outcome.done
        assert ids(records) == ["r1", "r3"]
        assert [fits for _, fits in records.ledger.reports()] == [True]
        assert all(data[:4] == b"PARE" for data in files(records))
        assert [each.subject.tenants for each in records.ledger.pending()] == [{MARKER}]
    assert holding(tmp_path) == []
    with opens(NEW) as records:
        records.append("requests", told(9, tenant=MARKER))
        with pytest.raises(StoreUnavailable, match="is encrypted with the key"):
            records.flush()  # whether it may be stored is not known without the ledger


def test_a_rewriting_that_is_repeated_leaves_one_file(opens: Opens) -> None:
    """The rest of a file has one name, though it is never encrypted to the same bytes twice."""
    with opens(OLD) as records:
        records.extend("requests", [told(number, tenant=f"t{number}") for number in range(3)])
        records.flush()
        reader = records._reader
        entry = reader.files("requests")[0]
        subject = Subject(tenants=frozenset(["t1"]))
        names = set()
        for _ in range(2):
            mask = Whose(subject, "requests")
            found = rewriting.places(reader, "requests", entry, RULES["requests"].columns, mask)
            names.add(rewriting.rewrite(reader, "requests", entry, found).written)
        assert len(names) == 1
        assert ids(records) == ["r0", "r1", "r2"]


def test_published_rows_and_versions(opens: Opens, address: str) -> None:
    """What is written past the write-ahead folder, and shared bundles, are encrypted as well."""
    with opens(OLD) as records:
        records.publish("requests", [told(1)])
        assert files(records)[0][:4] == b"PARE"
        versions = Versions.open(address, "bundles/base=x", OLD)
        assert versions.create(1, MARKER.encode())
        assert not versions.create(1, b"another")
        assert versions.newest() == (1, MARKER.encode())
        assert Versions.open(address, "bundles/base=x", BOTH).get(1) == MARKER.encode()
        for other in (None, NEW):
            with pytest.raises(Encrypted):
                Versions.open(address, "bundles/base=x", other).newest()


def test_the_outbox_is_encrypted(tmp_path: Path, clock: FakeClock) -> None:
    """What waits to be sent comes back with the key, and stays where it is without."""
    box = Outbox(tmp_path, clock, keys=OLD)
    kept, done = box.put(MARKER.encode()), box.put(b"done")
    box.done(done)
    box.close()
    assert kept.body == MARKER.encode()
    assert holding(tmp_path) == []
    assert Outbox(tmp_path, clock, keys=NEW).adopt() == []
    assert [slip.body for slip in Outbox(tmp_path, clock, keys=BOTH).adopt()] == [MARKER.encode()]


def test_a_damaged_file_is_left_out(tmp_path: Path, clock: FakeClock) -> None:
    """A footer that was changed makes a file unreadable, as without encryption; others are read."""
    with Records.open(
        str(tmp_path / "data"), tmp_path / "wal", clock, background=False, keyring=OLD
    ) as records:
        for number in range(2):
            records.append("requests", told(number))
            records.flush()
        path = min((tmp_path / "data" / "requests").rglob("*.parquet"))
        whole = path.read_bytes()
        wrapped = whole.index(b'"wrappedDEK":"') + 20
        for place in (len(whole) - 30, len(whole) - 200, wrapped):
            data = bytearray(whole)
            data[place] ^= 1
            path.write_bytes(data)
            assert len(ids(records)) == 1
        assert records.status()["unreadable"] == 3


def test_rows_that_wait_in_memory_are_encrypted_later(tmp_path: Path, clock: FakeClock) -> None:
    """While the disk is full; then each is bound to where it comes to stand."""
    full = [True]

    def write(descriptor: int, data: bytes) -> int:
        if full[0]:
            raise OSError(28, "No space left on device")
        return os.write(descriptor, data)

    with Records.open(
        str(tmp_path / "data"), tmp_path / "wal", clock, background=False, keyring=OLD, write=write
    ) as records:
        for number in range(3):
            records.append("requests", told(number))
        full[0] = False
        records.append("requests", told(3))
        records.flush()
        assert ids(records) == ["r0", "r1", "r2", "r3"]
        assert records.status()["set_aside"] == 0

"""A file of which a part was damaged costs no other file, with encryption and without."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_gateway.records import Records, StoreUnavailable
from ai_gateway.records.keeping import Keep
from ai_gateway.records.keyring import Keyring
from ai_gateway.records.ledger import Asked
from ai_gateway.records.objects import Entry
from ai_gateway.records.subject import Subject
from tests.records.conftest import DAY, NOON, FakeClock, ids, request_row


@pytest.fixture(params=[None, Keyring([os.urandom(32)])], ids=["plain", "encrypted"])
def records(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Records]:
    """Three files of two rows each, of two tenants, of a day that is over."""
    with Records.open(
        str(tmp_path), tmp_path / "wal", clock, background=False, keyring=request.param
    ) as found:
        for number in range(3):
            at = NOON - 3 * DAY
            found.append("requests", request_row(2 * number, at, tenant="acme"))
            found.append("requests", request_row(2 * number + 1, at, tenant="other"))
            found.flush()
            clock.time += 1
        yield found


def damaged(records: Records, column: str) -> Entry:
    """The first file, of which the pages of ``column`` make no sense any more."""
    entry = records._reader.files("requests")[0]
    with records._reader.open(entry) as file:
        group = file.metadata.row_group(0)
        chunks = (group.column(index) for index in range(group.num_columns))
        chunk = next(each for each in chunks if each.path_in_schema == column)
        at = chunk.data_page_offset
    path = Path(str(records._objects.open(entry)))
    data = bytearray(path.read_bytes())
    data[at : at + 16] = b"\xff" * 16
    path.write_bytes(data)
    return entry


def test_it_is_left_out_of_what_is_read(records: Records) -> None:
    """It is counted; the rows of the others come."""
    damaged(records, "request_id")
    assert ids(records) == ["r2", "r3", "r4", "r5"]
    assert records.status()["unreadable"] == 1


def test_rows_that_were_found_are_not_left_out(records: Records) -> None:
    """Where what is wanted of them alone is damaged, that is said, with the file's name."""
    entry = damaged(records, "output")
    assert records.newest("requests", 6, ["request_id"]).num_rows == 6
    with pytest.raises(StoreUnavailable, match=f"{entry.path} is damaged"):
        records.newest("requests", 6, ["output"])


def test_it_is_not_merged(records: Records) -> None:
    """It stays as it is, for whoever can repair it; the others are merged."""
    entry = damaged(records, "output")
    done = records.compact(grace=0)
    assert done is not None
    assert done.written == 1
    assert entry in records._reader.files("requests")


@pytest.mark.parametrize("column", ["tenant", "output"])
def test_an_erasure_tells_of_it(records: Records, column: str) -> None:
    """Whether its rows cannot be found or cannot be written anew; the other files are done."""
    entry = damaged(records, column)
    subject = Subject(tenants=frozenset(["acme"]), until=NOON)
    outcome = records.erase(Asked("e", subject, NOON, "admin", "00"), grace=0)
    assert outcome is not None
    assert outcome.report is not None
    assert (outcome.report["complete"], outcome.report["unreadable"]) == (False, [entry.path])
    assert outcome.report["rows"]["requests"] == 2


@pytest.mark.parametrize("column", ["tenant", "output"])
def test_a_pruning_tells_of_it(records: Records, column: str) -> None:
    """The same of what only some tenants' rules delete."""
    entry = damaged(records, column)
    done = records.prune({"requests": Keep(None, {"acme": DAY})}, grace=0)
    assert done is not None
    assert (done.unreadable, done.rows) == ([entry.path], {"requests": 2})


def test_a_disk_that_fails_is_no_damage(records: Records, tmp_path: Path) -> None:
    """Then nothing counts as empty: whoever reads is told."""
    entry = records._reader.files("requests")[0]
    (tmp_path / entry.path).unlink()
    (tmp_path / entry.path).mkdir()
    with pytest.raises(OSError, match="directory"):
        records._reader.read("requests", entry, ["request_id"])

"""Rows that other processes must see at once, and reading no more than what is new."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ai_gateway.records import Records, StoreUnavailable
from tests.records.conftest import DAY, NOON, FakeClock, Open


def event(name: str, at: float = NOON, **columns: Any) -> dict[str, Any]:
    """A row of the keys table."""
    return {"schema_version": 1, "event_id": name, "at": int(at * 1e6), "key_id": name, **columns}


def test_published_rows_are_there_at_once(open_records: Open) -> None:
    """Another reader of the store sees them without a flush, lists and nulls as they were."""
    writer, reader = open_records(), open_records()
    assert reader.unseen("keys", ()) == (frozenset(), [])
    writer.publish("keys", [event("a", routes=[], models=["m"]), event("b", at=NOON + DAY)])
    paths, rows = reader.unseen("keys", ())
    assert len(paths) == 2
    found = {row["key_id"]: row for row in rows}
    assert (found["a"]["routes"], found["a"]["models"], found["a"]["scopes"]) == ([], ["m"], None)
    assert found["b"]["at"] == int((NOON + DAY) * 1e6)
    assert writer.status()["pending"] == 0


def test_only_what_is_new_is_read(open_records: Open, clock: FakeClock) -> None:
    """Of files that were seen nothing comes back, whatever the clocks of their writers said."""
    writer, reader = open_records(), open_records()
    writer.publish("keys", [event("a")])
    seen, _ = reader.unseen("keys", ())
    assert reader.unseen("keys", seen) == (seen, [])
    clock.time -= 60  # a writer whose clock is late
    open_records().publish("keys", [event("b")])
    paths, rows = reader.unseen("keys", seen)
    assert [row["key_id"] for row in rows] == ["b"]
    assert paths > seen


def test_compaction_loses_none(open_records: Open, clock: FakeClock) -> None:
    """The merged file is new to a reader; a row may come twice, none is missing."""
    writer, reader = open_records(), open_records()
    for name in "abc":
        clock.time += 1
        writer.publish("keys", [event(name)])
    seen, _ = reader.unseen("keys", ())
    clock.time += DAY
    writer.compact(grace=0)
    paths, rows = reader.unseen("keys", seen)
    assert len(paths) == 1
    assert sorted(row["key_id"] for row in rows) == ["a", "b", "c"]


def test_a_row_that_is_none_is_refused(records: Records) -> None:
    """Nothing is stored of it, and nothing is left in the write-ahead folder."""
    for row in ({"event_id": "a"}, event("a", colour="red")):
        with pytest.raises(ValueError, match="no rows of keys"):
            records.publish("keys", [row])
    assert records.unseen("keys", ()) == (frozenset(), [])
    assert records.status()["appended"] == 0


def test_a_store_that_is_away_says_so(tmp_path: Path) -> None:
    """Neither is anything published, nor is a file that cannot be read an empty one."""
    (tmp_path / "data").write_text("a file where the folder should be")
    clock = FakeClock()
    path = str(tmp_path / "data")
    with Records.open(path, tmp_path / "wal", clock, background=False) as records:
        with pytest.raises(StoreUnavailable):
            records.publish("keys", [event("a")])
        with pytest.raises(StoreUnavailable):
            records.unseen("keys", ())
    folder = tmp_path / "other" / "keys" / "date=2026-03-01"
    folder.mkdir(parents=True)
    (folder / "1-broken.parquet").write_bytes(b"no Parquet")
    path = str(tmp_path / "other")
    with (
        Records.open(path, tmp_path / "wal", clock, background=False) as records,
        pytest.raises(StoreUnavailable, match="a file of keys cannot be read"),
    ):
        records.unseen("keys", ())


def test_what_is_not_named_like_a_file_of_the_table_is_left_alone(tmp_path: Path) -> None:
    """A stray file beside them stops nobody."""
    folder = tmp_path / "data" / "keys" / "date=2026-03-01"
    folder.mkdir(parents=True)
    (folder / ".DS_Store").write_text("anything")
    (folder.parent / "notes.txt").write_text("anything")
    path = str(tmp_path / "data")
    with Records.open(path, tmp_path / "wal", FakeClock(), background=False) as records:
        assert records.unseen("keys", ()) == (frozenset(), [])
        records.publish("keys", [event("a")])
        assert len(records.unseen("keys", ())[1]) == 1

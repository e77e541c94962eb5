"""Requests are followed: each row once, however late it comes and whatever file it has got into.

One file: every case is a state of the same cursor.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_gateway.records import Records
from ai_gateway.records.following import LONGEST, Position
from ai_gateway.records.ledger import Asked
from ai_gateway.records.subject import Subject
from tests.records.conftest import DAY, NOON, FakeClock, request_row

COLUMNS = ["request_id", "status"]


class Store:
    """Two processes that write to one folder, whose files bear the time of a test's clock."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock(NOON + DAY)
        self.folder = folder / "data"
        self.writers = [
            Records.open(str(self.folder), folder / name, self.clock, background=False)
            for name in ("one", "other")
        ]
        self.reader = self.writers[0]
        #: How many dates the rows are of.
        self.dates = 1
        self.given: list[str] = []
        self.cursor = str(self.reader.page(1, COLUMNS, []).position)
        self._stamped: set[Path] = set()
        self._count = 0

    def append(self, writer: int = 0, count: int = 1, **columns: Any) -> None:
        """Rows of yesterday, which is closed, so that a compaction takes all of it."""
        for _ in range(count):
            at = NOON - DAY * (self._count % self.dates)
            row = {**request_row(self._count, at), **columns}
            row["request_id"] = f"r{self._count:05}"
            self._count += 1
            self.writers[writer].append("requests", row)

    def flush(self, writer: int = 0) -> None:
        self.writers[writer].flush()
        self._stamp()

    def compact(self) -> None:
        self.reader.compact(grace=0)
        self._stamp()

    def _stamp(self) -> None:
        for path in set(self.folder.rglob("*.parquet")) - self._stamped:
            os.utime(path, (self.clock.time, self.clock.time))
            self._stamped.add(path)

    def poll(self, limit: int = 1000, where: Any = ()) -> int:
        """One page; how many rows it had."""
        page = self.reader.page(limit, COLUMNS, list(where), after=self.cursor)
        self.cursor = str(page.position)
        self.given += [row["request_id"] for row in page.rows]
        assert len(page.rows) <= limit
        return len(page.rows)

    def drain(self, limit: int = 1000) -> None:
        """Pages until there is nothing more."""
        while self.reader.page(1, COLUMNS, [], after=self.cursor).rows:
            self.poll(limit)

    @property
    def appended(self) -> list[str]:
        return [f"r{number:05}" for number in range(self._count)]

    def close(self) -> None:
        for writer in self.writers:
            writer.close()


@contextmanager
def opened(folder: Path) -> Iterator[Store]:
    """A store for as long as the block lasts."""
    store = Store(folder)
    try:
        yield store
    finally:
        store.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty folder that is followed from its beginning."""
    with opened(tmp_path) as found:
        yield found


def test_what_comes_is_given_once(store: Store) -> None:
    """A page has what became readable behind the one before, and nothing twice."""
    store.append(count=3)
    assert store.poll() == 0
    store.flush()
    assert store.poll() == 3
    assert store.poll() == 0
    store.append()
    store.flush()
    assert store.poll() == 1
    assert store.given == store.appended


def test_a_first_page_and_what_follows_it_are_all_rows(store: Store) -> None:
    """The newest first, then those that came behind; `more` says that there are older ones."""
    store.append(count=3)
    store.flush()
    page = store.reader.page(2, COLUMNS, [])
    assert (len(page.rows), page.more) == (2, True)
    store.append()
    store.flush()
    later = store.reader.page(9, COLUMNS, [], after=str(page.position))
    assert [row["request_id"] for row in later.rows] == ["r00003"]
    assert not later.more


def test_a_row_that_comes_late_is_given(store: Store) -> None:
    """Of a process whose store was away for an hour: its file's name is old, the row is new."""
    store.append(writer=1)
    store.clock.time += 3600
    store.append()
    store.flush()
    assert store.poll() == 1
    store.clock.time += 600
    store.flush(writer=1)
    assert store.poll() == 1
    assert sorted(store.given) == store.appended


def test_small_pages_go_on_where_the_last_one_ended(store: Store) -> None:
    """In the middle of a file too, and behind a compaction of it."""
    store.append(count=5)
    store.flush()
    store.clock.time += 1
    store.append(count=4)
    store.flush()
    assert [store.poll(2), store.poll(2)] == [2, 2]
    store.compact()
    assert store.poll(2) == 2
    store.drain(2)
    assert store.given == store.appended


def test_a_merged_file_has_what_was_not_read_before(store: Store) -> None:
    """A follower who was away for a compaction gets what he missed, and nothing else."""
    store.append(count=2)
    store.flush()
    store.clock.time += 4
    assert store.poll() == 2
    for _ in range(3):
        store.clock.time += 40
        store.append()
        store.flush()
    store.compact()
    assert len(list(store.folder.rglob("*.parquet"))) == 1
    store.clock.time += 3600
    assert store.poll() == 3
    assert store.poll() == 0
    assert store.given == store.appended


def test_what_was_merged_before_the_first_page_does_not_come_again(store: Store) -> None:
    """Also where it is merged once more."""
    for _ in range(2):
        store.append()
        store.flush()
    store.compact()
    store.cursor = str(store.reader.page(1, COLUMNS, []).position)
    store.append()
    store.flush()
    store.compact()
    assert store.poll() == 1
    assert store.given == ["r00002"]


def test_filters_hold_for_what_is_followed(store: Store) -> None:
    """By any column; what does not fit is passed over."""
    store.append(status=200)
    store.append(status=500)
    store.flush()
    assert store.poll(where=[("status", ">=", 500)]) == 1
    assert store.given == ["r00001"]
    page = store.reader.page(9, COLUMNS, [], since=NOON + 1, after=store.cursor)
    assert page.rows == []


def test_an_erasure_brings_nothing_again(store: Store) -> None:
    """What is left of a file is another file, whose rows were given."""
    store.append(count=3)
    store.flush()
    assert store.poll() == 3
    store.clock.time += 5
    subject = Subject(requests=frozenset({"r00001"}), until=store.clock.time)
    asked = Asked(erasure_id="e", subject=subject, asked_at=store.clock.time, by="a", salt="s")
    assert store.reader.erase(asked, grace=0) is not None
    store._stamp()
    assert store.poll() == 0


def test_a_file_of_two_dates_is_two_portions(store: Store) -> None:
    """A segment that is written across midnight is followed on both sides."""
    store.append()
    store.append(received_at=round((NOON + DAY) * 1e6))
    store.flush()
    assert store.poll() == 2


def test_rows_of_before_the_column_are_read_once(store: Store) -> None:
    """A file of an older version is one portion; merged, its rows are taken for read."""
    store.append()
    store.flush()
    (path,) = store.folder.rglob("*.parquet")
    old = pq.read_table(path, partitioning=None).drop_columns(["segment"])
    pq.write_table(old, path)
    os.utime(path, (store.clock.time, store.clock.time))
    assert store.poll() == 1
    store.append()
    store.flush()
    store.compact()
    assert store.poll() == 1
    assert store.given == store.appended


def test_a_first_page_goes_back_as_far_as_it_is_asked(store: Store) -> None:
    """Beyond the dates that are followed too, and no further than `since`."""
    for day in range(12):
        store.append(received_at=round((NOON - day * DAY) * 1e6))
    store.flush()
    assert len(store.reader.page(99, COLUMNS, []).rows) == 12
    assert len(store.reader.page(99, COLUMNS, [], since=NOON - 10 * DAY).rows) == 11
    found = store.reader.page(99, COLUMNS, [], until=NOON - 10 * DAY)
    assert [row["request_id"] for row in found.rows] == ["r00011"]


def test_merged_files_that_wait_for_their_page_keep_what_is_new(store: Store) -> None:
    """A first page that ends behind one of them leaves the next one's rows for the next page."""
    store.dates = 2
    for _ in range(3):
        store.append(count=2)
        store.flush()
        store.clock.time += 100
    store.compact()
    assert len(list(store.folder.rglob("*.parquet"))) == 2
    assert [store.poll(3), store.poll(3)] == [3, 3]
    assert sorted(store.given) == store.appended


def test_the_newest_are_found_whatever_file_they_are_in(store: Store) -> None:
    """Also a row that came in a file long before the last ones, and one that came late."""
    store.append(received_at=round((NOON + 500) * 1e6))
    store.flush()
    store.append(writer=1, received_at=round((NOON + 400) * 1e6))
    for number in range(70):
        store.clock.time += 1
        store.append(received_at=round((NOON + number) * 1e6))
        store.flush()
    store.flush(writer=1)
    found = [row["request_id"] for row in store.reader.page(3, COLUMNS, []).rows]
    assert found == ["r00000", "r00001", "r00071"]
    assert len(store.reader.page(1000, ["received_at"], []).rows) == 72


def test_old_files_are_not_read_for_the_newest(store: Store) -> None:
    """Where rows are received when they are written, few files have the last ones."""
    for _ in range(40):
        store.append(received_at=round(store.clock.time * 1e6))
        store.flush()
        store.clock.time += 100
    for path in sorted(store.folder.rglob("*.parquet"))[:5]:
        path.write_bytes(b"")  # would be told as unreadable
        os.utime(path, (NOON, NOON))
    store.reader.page(3, COLUMNS, [])
    assert store.reader.status()["unreadable"] == 0


def test_one_request_is_found_by_its_id(store: Store) -> None:
    """In the file of its time, in a merged one, and where it was stored at another time."""
    for _ in range(3):
        store.append()
        store.flush()
        store.clock.time += 5
    for merged in (False, True):
        if merged:
            store.compact()
        for at in (NOON, NOON + DAY / 24 - 1, NOON - DAY / 24 + 1):
            found = store.reader.request("r00001", at)
            assert found is not None
            assert found["input"] == "question 1"
        assert store.reader.request("r00001", NOON + 2 * DAY / 24) is None
        assert store.reader.request("r00009", NOON) is None
        assert store.reader.request("r00001", NOON, [("tenant", "==", "other")]) is None
    (path,) = store.folder.rglob("*.parquet")
    os.utime(path, (1, 1))  # a copy that was given another time
    assert store.reader.request("r00001", NOON) is not None


def test_a_page_reads_a_bounded_number_of_files(store: Store, tmp_path: Path) -> None:
    """The rest is told by `more`, and comes with the next page."""
    store.append()
    store.flush()
    (path,) = store.folder.rglob("*.parquet")
    for number in range(520):
        copy = path.with_name(f"{int(path.name[:16]) + number + 1:016d}-00000000.parquet")
        copy.write_bytes(path.read_bytes())
    store._stamp()
    page = store.reader.page(1000, COLUMNS, [], after=store.cursor)
    assert (len(page.rows), page.more) == (500, True)
    page = store.reader.page(1000, COLUMNS, [], after=str(page.position))
    assert (len(page.rows), page.more) == (21, False)


@pytest.mark.parametrize("address", ["s3"], indirect=True)
def test_a_bucket_is_followed_as_a_folder_is(records: Records) -> None:
    """By the times that the store says."""
    cursor = str(records.page(1, COLUMNS, []).position)
    records.append("requests", request_row(1))
    records.flush()
    page = records.page(9, COLUMNS, [], after=cursor)
    assert [row["request_id"] for row in page.rows] == ["r1"]
    assert records.page(9, COLUMNS, [], after=str(page.position)).rows == []


@pytest.mark.parametrize(
    "text", ["", "A", "AQ", "x" * (LONGEST + 1), "AQAGYU_MhQ1xAGsKbKB9P-J", "é", "AQ==", "//8"]
)
def test_what_is_no_position_is_refused(store: Store, text: str) -> None:
    """Whatever it is, in one way."""
    with pytest.raises(ValueError, match="no cursor"):
        store.reader.page(1, COLUMNS, [], after=text)


@given(st.text(alphabet="AQBg_-09", max_size=60))
def test_any_text_is_a_position_or_refused(text: str) -> None:
    """Nothing else is raised; what is one is written as it was read."""
    try:
        found = Position.read(text)
    except ValueError:
        return
    assert Position.read(str(found)) == found


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 1), st.integers(1, 4)),
        st.tuples(st.just("flush"), st.integers(0, 1)),
        st.tuples(st.just("tick"), st.integers(1, 200)),
        st.tuples(st.just("poll"), st.integers(1, 5)),
        st.tuples(st.just("compact")),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_whatever_happens_each_row_is_given_once(steps: list[tuple[Any, ...]]) -> None:
    """Two writers, any delay, pages of any size; a follower who looks before files are merged."""
    with TemporaryDirectory() as folder, opened(Path(folder)) as store:
        store.dates = 2
        for name, *values in steps:
            if name == "compact":
                store.drain()
                store.compact()
            elif name == "tick":
                store.clock.time += values[0]
            else:
                getattr(store, name)(*values)
        store.flush(0)
        store.flush(1)
        store.drain(2)
        assert sorted(store.given) == store.appended


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_a_follower_may_be_away_as_long_as_he_likes(steps: list[tuple[Any, ...]]) -> None:
    """Where rows are moved in time, merged files hide nothing and repeat nothing."""
    with TemporaryDirectory() as folder, opened(Path(folder)) as store:
        store.dates = 2
        for name, *values in steps:
            if name == "tick":
                store.flush(0)
                store.flush(1)
                store.clock.time += values[0]
            else:
                getattr(store, name)(*values)
        store.flush(0)
        store.flush(1)
        store.drain(2)
        assert sorted(store.given) == store.appended

"""Reading: a row once, by date, with nulls where a file is older, whatever vanishes meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ai_gateway.records import Records, tables, to_rows
from ai_gateway.records.objects import Entry, Folder, Objects, open_objects
from ai_gateway.records.reading import Reader
from ai_gateway.records.schema import REQUESTS
from tests.records.conftest import (
    DAY,
    NOON,
    FakeClock,
    Open,
    ids,
    request_row,
    score_row,
    weight_rows,
)


def write(folder: Path, name: str, table: pa.Table, date: str = "2026-03-01") -> None:
    """A file as anybody may have put it there."""
    path = folder / f"requests/date={date}/{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def rows_of(*numbers: int, **columns: Any) -> pa.Table:
    """Requests with some of the schema's columns only."""
    time = pa.array([round(NOON * 1e6)] * len(numbers), REQUESTS.field("received_at").type)
    keys = [f"r{number}" for number in numbers]
    return pa.table({"request_id": keys, "received_at": time, **columns})


def test_an_empty_store_is_an_empty_table(records: Records) -> None:
    """Every reading of nothing has the schema's columns and no rows."""
    assert records.scan("requests").schema == REQUESTS
    assert records.scan("requests").num_rows == 0
    assert records.newest("requests", 5, ["request_id"]).num_rows == 0
    assert records.latest("weights") is None
    assert records.latest_weights() is None


def test_a_row_in_two_files_is_read_once(records: Records, clock: FakeClock) -> None:
    """Of rows with the same key the one in the first file counts."""
    records.append("requests", request_row(1, output="first"))
    records.flush()
    clock.time += 1
    records.extend("requests", [request_row(1, output="second"), request_row(2), request_row(2)])
    records.flush()
    found = to_rows(records.scan("requests", ["request_id", "output"]))
    assert found == [
        {"request_id": "r1", "output": "first"},
        {"request_id": "r2", "output": "answer 2"},
    ]


def test_time_bounds_are_half_open(records: Records) -> None:
    """``since`` is included and ``until`` is not, across dates."""
    records.extend("requests", [request_row(day, at=NOON + day * DAY) for day in range(5)])
    records.flush()
    found = records.scan("requests", ["request_id"], since=NOON + DAY, until=NOON + 3 * DAY)
    assert found["request_id"].to_pylist() == ["r1", "r2"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (("status", "==", 200), ["r0"]),
        (("status", "!=", 200), ["r1", "r2"]),
        (("status", "==", None), ["r2"]),
        (("status", "!=", None), ["r0", "r1"]),
        (("status", "<", 500), ["r0"]),
        (("status", "<=", 200), ["r0"]),
        (("status", ">", 200), ["r1"]),
        (("status", ">=", 500), ["r1"]),
        (("status", "in", [200, 500]), ["r0", "r1"]),
        (("status", "in", []), []),
        (("status", "not in", [200, None]), ["r1"]),
        (("status", "not in", []), ["r0", "r1", "r2"]),
        (("request_id", "in", pa.array(["r1"])), ["r1"]),
    ],
)
def test_conditions(tmp_path: Path, condition: tuple[str, str, Any], expected: list[str]) -> None:
    """Each operator, nulls included."""
    write(tmp_path, "a", rows_of(0, 1, 2, status=pa.array([200, 500, None], pa.int16())))
    found = Reader(Folder(tmp_path)).scan("requests", ["request_id"], where=[condition])
    assert found["request_id"].to_pylist() == expected


def test_an_unknown_operator_or_column_is_an_error(records: Records) -> None:
    """A condition that means nothing is not taken for true."""
    records.append("requests", request_row())
    records.flush()
    with pytest.raises(KeyError):
        records.scan("requests", where=[("status", "like", 2)])
    with pytest.raises(KeyError):
        records.scan("requests", where=[("colour", "==", 2)])


def test_columns_that_an_old_file_lacks_are_null(tmp_path: Path) -> None:
    """Fields inside a column too; columns that are not the schema's are passed over."""
    old = pa.struct([("policy", pa.string()), ("action", pa.string())])
    verdicts = pa.array([[{"policy": "p", "action": "block"}]], pa.list_(old))
    write(tmp_path, "old", rows_of(1, verdicts=verdicts, extra=[1]))
    found = to_rows(Reader(Folder(tmp_path)).scan("requests"))[0]
    assert found["verdicts"][0]["policy"] == "p"
    assert found["verdicts"][0]["rule"] is None
    assert found["served"] is None
    assert "extra" not in found


def test_files_that_are_no_records_are_left_alone(tmp_path: Path) -> None:
    """Other names are not looked at; a broken file is counted and costs no other."""
    write(tmp_path, "good", rows_of(1))
    folder = tmp_path / "requests/date=2026-03-01"
    (folder / "_SUCCESS").write_text("", encoding="utf-8")
    (folder / "broken.parquet").write_bytes(b"PAR1 no parquet PAR1")
    (tmp_path / "requests/.DS_Store").write_text("", encoding="utf-8")
    (tmp_path / "requests/other").mkdir()
    reader = Reader(Folder(tmp_path))
    assert reader.scan("requests", ["request_id"])["request_id"].to_pylist() == ["r1"]
    assert reader.unreadable == 1
    entry = reader.files("requests")[0]
    assert reader.read("requests", entry, ["request_id"], present="output").num_rows == 0


class Vanishing(Folder):
    """A folder in which a file is merged away between the listing and the reading."""

    def __init__(self, root: Path, merge: Callable[[], None]) -> None:
        super().__init__(root)
        self.merge = merge
        self.turns = 1

    def open(self, entry: Entry) -> str:
        if self.turns:
            self.turns -= 1
            self.merge()
        return super().open(entry)


def test_files_that_vanish_are_looked_for_again(tmp_path: Path) -> None:
    """A compaction between listing and reading neither loses nor doubles a row."""
    write(tmp_path, "a", rows_of(1))
    write(tmp_path, "b", rows_of(2))

    def merge() -> None:
        write(tmp_path, "c", rows_of(1, 2))
        for name in "ab":
            (tmp_path / f"requests/date=2026-03-01/{name}.parquet").unlink()

    found = Reader(Vanishing(tmp_path, merge)).scan("requests", ["request_id"])
    assert sorted(found["request_id"].to_pylist()) == ["r1", "r2"]


def test_a_file_that_is_never_there_ends_in_an_error(tmp_path: Path) -> None:
    """The search for vanished files is bounded."""

    class Gone(Folder):
        def open(self, entry: Entry) -> str:
            raise FileNotFoundError(entry.path)

    write(tmp_path, "a", rows_of(1))
    with pytest.raises(FileNotFoundError):
        Reader(Gone(tmp_path)).scan("requests")


def test_the_latest_rows_and_a_token(records: Records, clock: FakeClock) -> None:
    """``latest`` gives the newest publication, and None until there is a newer one."""
    for number in range(2):
        clock.time += 1
        records.extend("weights", weight_rows(f"w{number}", clock.time, a=0.5, b=0.5))
        records.flush()
    found = records.latest("weights")
    assert found is not None
    assert set(found[1]["weights_id"].to_pylist()) == {"w1"}
    assert records.latest("weights", found[0]) is None
    clock.time += DAY
    records.extend("weights", weight_rows("w2", clock.time, a=0.5))
    records.flush()
    weights = records.latest_weights(found[0])
    assert weights is not None
    assert [row["weights_id"] for row in weights[1]] == ["w2"]
    assert records.latest_weights(weights[0]) is None


def test_the_latest_skips_a_folder_without_files(tmp_path: Path, clock: FakeClock) -> None:
    """An empty folder of a newer date hides nothing, and an older date is nothing new."""
    with Records.open(str(tmp_path), tmp_path / "wal", clock, background=False) as records:
        records.extend("weights", weight_rows("w1", a=0.5))
        records.flush()
        (tmp_path / "weights/date=2027-01-01").mkdir()
        found = records.latest("weights")
        assert found is not None
        assert records.latest("weights", "weights/date=2026-12-31/x") is None


def test_the_latest_survives_a_compaction(tmp_path: Path, clock: FakeClock) -> None:
    """A newest file that is merged away while it is looked for is found in the merged one."""

    def merge() -> None:
        old = next((tmp_path / "weights/date=2026-03-01").iterdir())
        old.rename(old.with_name("z.parquet"))

    folder = Vanishing(tmp_path, merge)
    with Records.open(str(tmp_path), tmp_path / "wal", clock, background=False) as records:
        records.extend("weights", weight_rows("w1", a=0.5))
        records.flush()
        records._objects = folder
        found = records.latest("weights")
    assert found is not None
    assert found[0].endswith("z.parquet")


def test_polling_costs_two_listings(tmp_path: Path, clock: FakeClock) -> None:
    """While nothing is new, ``latest`` lists the dates and the newest one, and reads nothing."""
    asked: list[str] = []

    class Counting(Folder):
        def folders(self, prefix: str) -> list[str]:
            asked.append("folders")
            return super().folders(prefix)

        def entries(self, prefix: str, after: str = "") -> list[Entry]:
            asked.append("entries")
            return super().entries(prefix, after)

        def open(self, entry: Entry) -> str:
            asked.append("open")
            return super().open(entry)

    with Records.open(str(tmp_path), tmp_path / "wal", clock, background=False) as records:
        for day in range(3):
            records.extend("weights", weight_rows(f"w{day}", NOON + day * DAY, a=0.5))
            records.flush()
        records._objects = Counting(tmp_path)
        token, _ = records.latest("weights") or ("", None)
        asked.clear()
        assert records.latest("weights", token) is None
    assert asked == ["folders", "entries"]


def test_the_newest_rows_come_first(records: Records) -> None:
    """``newest`` gives the newest rows across dates, each once."""
    for day in range(3):
        rows = [request_row(day * 10 + n, at=NOON + day * DAY + n) for n in range(4)]
        records.extend("requests", [*rows, rows[0]])
        records.flush()
    found = records.newest("requests", 6, ["request_id"])
    assert found["request_id"].to_pylist() == ["r23", "r22", "r21", "r20", "r13", "r12"]
    assert found.column_names == ["request_id"]
    only = records.newest("requests", 9, ["request_id"], NOON + 2 * DAY, [("status", "==", 500)])
    assert only.num_rows == 0


def test_a_cache_answers_without_reading(open_records: Open, address: str) -> None:
    """Files never change, so that their columns are read once; what does not fit is read again."""
    records = open_records(cache_bytes=10_000)
    records.extend("requests", [request_row(number) for number in range(3)])
    records.flush()
    objects = records._objects
    opened: list[Entry] = []

    kind: Any = type(objects)

    class Watched(kind):  # type: ignore[misc]  # whichever store the test runs for
        def __init__(self) -> None:
            self.__dict__.update(vars(objects))

        def open(self, entry: Entry) -> Any:
            opened.append(entry)
            return super().open(entry)

    watched: Objects = Watched()
    for size, reads in ((10_000, 1), (1, 2)):
        opened.clear()
        reader = Reader(watched, cache_bytes=size)
        for _ in range(2):
            assert reader.scan("requests", ["request_id"]).num_rows == 3
        assert len(opened) == reads


def test_many_files_are_read_in_parallel(records: Records, clock: FakeClock) -> None:
    """Rows of many files come in the order of the files' names."""
    for number in range(30):
        clock.time += 1
        records.append("requests", request_row(number))
        records.flush()
    found = records.scan("requests", ["request_id"])["request_id"].to_pylist()
    assert found == [f"r{number}" for number in range(30)]


def test_a_large_object_is_read_in_ranges(records: Records) -> None:
    """Of an object beyond a megabyte only what is wanted is fetched; the rows are right."""
    noise = Random(1)
    texts = [noise.randbytes(100_000).hex() for _ in range(20)]
    records.extend("requests", [request_row(n, output=text) for n, text in enumerate(texts)])
    records.flush()
    assert records._reader.files("requests")[0].size > 1 << 20
    assert records.scan("requests", ["output"])["output"].to_pylist() == texts
    assert len(ids(records)) == 20


@pytest.mark.parametrize(
    "address",
    ["gs://bucket", "s3://", "s3://key:secret@bucket", "s3://bucket?colour=red", "http://host/x"],
)
def test_an_address_that_cannot_be_one_is_refused(address: str) -> None:
    """At once, without the secret that may stand in it."""
    with pytest.raises(ValueError, match=r"s3|S3") as error:
        open_objects(address)
    assert "secret" not in str(error.value)


def test_addresses() -> None:
    """A path, a file URL and an S3 address with and without a protocol in its endpoint."""
    assert isinstance(open_objects("data"), Folder)
    folder = open_objects("file:///tmp/data")
    assert isinstance(folder, Folder)
    assert folder.root == Path("/tmp/data")
    for endpoint in ("http://127.0.0.1:9", "127.0.0.1:9"):
        open_objects(f"s3://bucket?endpoint_override={endpoint}&region=eu-west-1")
    open_objects("s3://bucket/prefix")


def test_scores_are_read_too(records: Records) -> None:
    """Each table has its own key and time."""
    records.append("scores", score_row("r1"))
    records.append("scores", score_row("r1"))
    records.flush()
    assert records.scan("scores", since=NOON).num_rows == 1


def test_nothing_has_no_places() -> None:
    """A search in no file at all ends, whatever pyarrow makes of no chunk."""
    none = tables.places(pa.chunked_array([], pa.bool_()))
    some = tables.places(pa.chunked_array([[True, None], [False, True]]))
    assert (none.to_pylist(), some.to_pylist()) == ([], [0, 3])
    assert none.type == some.type

"""Whole objects: written whole or not at all, read in full or in parts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ai_gateway.records.objects import (
    Bucket,
    Entry,
    Folder,
    Objects,
    StoreUnavailable,
    _size_and_time,
    open_objects,
)


@pytest.fixture
def objects(address: str) -> Objects:
    """A folder or a bucket."""
    return open_objects(address)


def content(objects: Objects, entry: Entry) -> bytes:
    """An object's bytes, the way readers get them."""
    source = objects.open(entry)
    return Path(source).read_bytes() if isinstance(source, str) else source.read()


def test_an_object_is_put_listed_read_and_deleted(objects: Objects) -> None:
    """In both kinds of store alike; the second put replaces the first."""
    for data in (b"one", b"three"):
        objects.put("t/date=1/a", data)
    objects.put("t/date=1/b", memoryview(b"b"))
    objects.put("t/date=2/c", b"c")
    assert objects.folders("t") == ["date=1", "date=2"]
    assert objects.entries("t/date=1") == [Entry("t/date=1/a", 5), Entry("t/date=1/b", 1)]
    assert objects.entries("t/date=1", after="t/date=1/a") == [Entry("t/date=1/b", 1)]
    assert content(objects, Entry("t/date=1/a", 5)) == b"three"
    objects.delete("t/date=1/a")
    objects.delete("t/date=1/a")
    assert [entry.path for entry in objects.entries("t/date=1")] == ["t/date=1/b"]
    objects.sweep(0)


def test_what_is_not_there_is_empty_or_not_found(objects: Objects) -> None:
    """A table without rows is no failure; an object that is gone is a FileNotFoundError."""
    assert objects.folders("nothing") == []
    assert objects.entries("nothing/date=1") == []
    for size in (1, 1 << 30):
        with pytest.raises(FileNotFoundError):
            content(objects, Entry("nothing/a", size))


def test_a_large_object_is_sought_in(bucket: str) -> None:
    """Reads give what stands there, and nothing behind the end."""
    store = open_objects(bucket)
    data = bytes(range(256)) * 8192
    store.put("a", data)
    source = store.open(Entry("a", len(data)))
    assert not isinstance(source, str)
    source.seek(-3, 2)
    assert source.read() == data[-3:]
    assert source.read(1) == b""
    source.seek(5)
    source.seek(2, 1)
    assert source.read(4) == data[7:11]
    assert source.tell() == 11


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Neither a part of the object nor a temporary file."""
    folder = Folder(tmp_path)
    (tmp_path / "t/a").mkdir(parents=True)
    with pytest.raises(StoreUnavailable):
        folder.put("t/a", b"data")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_file_that_vanishes_while_it_is_listed_has_no_size(tmp_path: Path) -> None:
    """The listing goes on; the reader will find out."""

    class Gone:
        def stat(self) -> None:
            raise FileNotFoundError

    gone: object = Gone()
    assert _size_and_time(gone) == (0, 0)


def test_s3_without_its_library_says_what_to_install() -> None:
    """Obstore is an extra."""
    script = """
import sys
sys.modules["obstore"] = None
from ai_gateway.records.objects import open_objects
try:
    open_objects("s3://bucket")
except ValueError as error:
    print(error)
"""
    found = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert "ai-gateway[s3]" in found.stdout


def test_a_bucket_hides_its_address(s3_endpoint: str) -> None:
    """What cannot be reached is said without the endpoint, the bucket or a signature."""
    away = open_objects("s3://hidden?endpoint_override=127.0.0.1:9&scheme=http&region=us-east-1")
    assert isinstance(away, Bucket)
    for ask in (
        lambda: away.folders("t"),
        lambda: away.entries("t"),
        lambda: away.put("a", b""),
        lambda: away.put_if("a", b"", None),
        lambda: away.get("a"),
        lambda: away.delete("a"),
        lambda: away.get_range("a", 0, 1),
    ):
        with pytest.raises(StoreUnavailable) as error:
            ask()
        assert str(error.value) == "[Errno 5] GenericError"


def test_when_an_object_was_written_is_told(objects: Objects) -> None:
    """By the store's clock, which both kinds say; later ones are no earlier."""
    for name in ("a", "b"):
        objects.put(f"t/date=1/{name}", b"1")
    first, second = (entry.modified for entry in objects.entries("t/date=1"))
    assert 1.7e15 < first <= second < 1e16

"""Numbered objects that are written once, in a folder and in a bucket alike."""

from types import SimpleNamespace

import pytest

from ai_gateway.records.objects import Folder, StoreUnavailable
from ai_gateway.records.versions import Versions


def test_a_number_is_taken_once(address: str) -> None:
    """The second who writes it is told; the newest is found by its number."""
    versions = Versions.open(address, "bundles/base=x")
    assert versions.newest() is None
    assert versions.create(1, b"one")
    assert not versions.create(1, b"two")
    assert versions.create(2, b"three")
    assert versions.newest() == (2, b"three")
    assert versions.newest(2) is None
    assert (versions.get(1), versions.get(3)) == (b"one", None)
    assert versions.numbers() == [1, 2]
    if isinstance(versions.objects, Folder):
        assert not list((versions.objects.root / "tmp").iterdir())


def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path) -> None:
    """As for records."""
    (tmp_path / "bundles").write_text("in the way")
    with pytest.raises(StoreUnavailable):
        Versions.open(str(tmp_path), "bundles/base=x").create(1, b"one")


def test_what_is_no_store_has_no_versions() -> None:
    """Neither a folder nor a bucket."""
    with pytest.raises(TypeError, match="no versions"):
        Versions(SimpleNamespace(keyring=None), "x").create(1, b"")

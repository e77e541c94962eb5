"""Versions in the store: written once, followed by every replica, and never a mixture."""

import json
import threading

import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.control import files
from ai_gateway.control.places import Folder, Shared
from ai_gateway.errors import Conflict, NotFound, StoreAway
from ai_gateway.records import StoreUnavailable

MANIFEST = "version: 1\nbundles: shared\n"


class Clock(SystemClock):
    """Moved by hand."""

    seconds = 0.0

    def monotonic(self):
        """Seconds, as a test has set them."""
        return self.seconds


@pytest.fixture
def bundle(tmp_path):
    """What was shipped."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "routes.yaml").write_text(MANIFEST)
    return folder


@pytest.fixture
def replica(bundle, tmp_path):
    """Makes a process that follows the versions."""

    def make(**more):
        return Shared(bundle, str(tmp_path / "data"), Clock(), **more)

    return make


def changed(place, text):
    """Write one change."""
    before = place.read()
    after = before.changed("policies/p.yaml", text.encode())
    place.write(before, after, "policies/p.yaml")
    return after


def test_a_version_is_followed_by_every_replica(replica, bundle) -> None:
    """Whole, at the next look, and only what was shipped is ever in the bundle's own folder."""
    one, two = replica(), replica()
    for each in (one, two):
        each.start()
    first = two.seen()
    after = changed(one, "a: 1")
    assert one.seen() != first
    assert two.seen() == first  # it looks every five seconds
    two.clock.seconds = 5.0
    assert two.seen() == one.seen()
    assert two.read() == after
    with two.unpacked() as folder:
        assert files.read(folder) == after
    assert files.read(bundle).contents == {"routes.yaml": MANIFEST.encode()}


def test_versions_are_of_what_was_shipped(replica, bundle) -> None:
    """Another bundle that is shipped begins anew."""
    one = replica()
    changed(one, "a: 1")
    (bundle / "routes.yaml").write_text(MANIFEST + "# newer\n")
    assert one.read() == files.read(bundle)
    assert one.numbers() == ([0], 0)
    one.seen()
    with one.unpacked() as folder:
        assert files.read(folder) == files.read(bundle)


def test_of_two_who_write_at_once_one_wins(replica) -> None:
    """The others are told, and nothing is lost."""
    start, outcomes = threading.Barrier(4), []

    def write(number):
        place = replica()
        before = place.read()
        start.wait()
        try:
            place.write(before, before.changed("policies/p.yaml", b"%d" % number), "")
            outcomes.append(True)
        except Conflict:
            outcomes.append(False)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False, False, False, True]
    assert replica().numbers() == ([0, 1], 1)


def test_a_write_is_of_what_was_read(replica) -> None:
    """Who was overtaken is told before he takes a number."""
    one, two = replica(), replica()
    before = one.read()
    changed(two, "a: 1")
    with pytest.raises(Conflict, match="meanwhile"):
        one.write(before, before.changed("policies/p.yaml", b"x"), "")


def test_an_older_version_can_be_had(replica, bundle) -> None:
    """And written again, as a new one."""
    one = replica()
    first = changed(one, "a: 1")
    second = changed(one, "a: 2")
    assert (one.version(0), one.version(1), one.version(2)) == (files.read(bundle), first, second)
    one.write(second, first, "")
    assert replica().read() == first
    assert one.numbers() == ([0, 1, 2, 3], 3)
    with pytest.raises(NotFound):
        one.version(4)


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"{",
        lambda _: b"[]",
        lambda data: data.replace(b"a: 1", b"a: 2"),
        lambda data: json.dumps({**json.loads(data), "number": 7}).encode(),
        lambda data: json.dumps({**json.loads(data), "base": "x"}).encode(),
    ],
)
def test_a_version_that_was_damaged_is_not_followed(replica, tmp_path, damage, caplog) -> None:
    """Who has an older one keeps it; who starts does not, unless nobody said that it must."""
    one = replica()
    changed(one, "a: 1")
    (path,) = (tmp_path / "data" / "bundles").rglob("*.json")
    good = one.read()
    path.write_bytes(damage(path.read_bytes()))
    one.clock.seconds = 5.0
    one.seen()
    assert one.read() == good
    with pytest.raises(StoreUnavailable):
        replica().start()
    with pytest.raises(StoreAway):
        replica().read()
    lenient = replica(strict=False)
    lenient.start()
    assert "served as shipped" in caplog.text
    lenient.clock.seconds = 10.0
    assert lenient.seen()
    assert "is not what it says" in caplog.text


def test_a_store_that_cannot_be_written_is_told(replica, tmp_path) -> None:
    """Nothing was changed, and it can be tried again."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "bundles").write_text("in the way")
    with pytest.raises(StoreAway):
        changed(replica(), "a: 1")


def test_a_file_that_is_no_text_is_not_shared(replica) -> None:
    """A version is JSON that people can read."""
    one = replica()
    before = one.read()
    with pytest.raises(Conflict, match="UTF-8"):
        one.write(before, before.changed("policies/p.yaml", b"\xff"), "")


def test_a_folder_is_its_own_place(bundle) -> None:
    """What is followed is what is there."""
    place = Folder(bundle, SystemClock())
    place.start()
    first = place.seen()
    with place.locked():
        changed(place, "a: 1")
    assert place.seen() != first
    with place.unpacked() as folder:
        assert folder == bundle

"""A lease has one holder: for as long as its process lives, or until it expires in a bucket."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ai_gateway.records import Records
from ai_gateway.records.lease import acquire
from ai_gateway.records.objects import Bucket, Folder, StoreUnavailable, open_objects
from tests.records.conftest import FakeClock


def test_one_holds_it_at_a_time(records: Records) -> None:
    """A second taker gets None until the first lets go; another name is another lease."""
    first = records.lease("judge", "a", 60)
    assert first is not None
    assert records.lease("judge", "b", 60) is None
    assert first.renew()
    with records.lease("compact", "a", 60) or first:
        pass
    first.release()
    first.release()
    assert not first.renew()
    second = records.lease("judge", "b", 60)
    assert second is not None
    second.release()


def test_a_block_ends_in_its_release(records: Records) -> None:
    """``with`` lets go of it, also when the block fails."""
    for _ in range(2):
        lease = records.lease("judge", "a", 60)
        assert lease is not None
        with pytest.raises(ZeroDivisionError), lease:
            raise ZeroDivisionError


def test_a_lock_dies_with_its_process(tmp_path: Path, clock: FakeClock) -> None:
    """A holder that was killed holds nothing, without any waiting."""
    script = """
import os, sys
from pathlib import Path
from ai_gateway.clock import SystemClock
from ai_gateway.records.lease import acquire
from ai_gateway.records.objects import Folder
held = acquire(Folder(Path(sys.argv[1])), "judge", "a", 60, SystemClock())
print("held", flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    folder = Folder(tmp_path)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        clock.time += 10**6
        assert acquire(folder, "judge", "b", 60, clock) is None
        holder.kill()
        holder.wait()
        lease = acquire(folder, "judge", "b", 60, clock)
    assert lease is not None
    assert b'"holder":"b"' in (tmp_path / "leases/judge.lock").read_bytes()
    lease.release()


@pytest.fixture
def objects(bucket: str) -> Bucket:
    """An S3-compatible store."""
    found = open_objects(bucket)
    assert isinstance(found, Bucket)
    return found


def test_a_lease_in_a_bucket_expires(objects: Bucket, clock: FakeClock) -> None:
    """It can be taken over once its time is over, and then its first holder has lost it."""
    first = acquire(objects, "judge", "a", 60, clock)
    assert first is not None
    clock.time += 59
    assert acquire(objects, "judge", "b", 60, clock) is None
    assert first.renew()
    clock.time += 59
    assert acquire(objects, "judge", "b", 60, clock) is None
    clock.time += 1
    second = acquire(objects, "judge", "b", 60, clock)
    assert second is not None
    assert not first.renew()
    first.release()
    assert second.renew()


def test_of_two_takers_one_wins(objects: Bucket, clock: FakeClock) -> None:
    """A condition that no longer holds loses, for a new object and for an expired one."""
    assert objects.put_if("x", b"1", None) is not None
    assert objects.put_if("x", b"2", None) is None
    _, tag = objects.get("x")
    assert objects.put_if("x", b"3", tag) is not None
    assert objects.put_if("x", b"4", tag) is None
    assert objects.get("x")[0] == b"3"


def test_a_lease_that_cannot_be_read_has_ended(objects: Bucket, clock: FakeClock) -> None:
    """Whatever stands in its object, a lease can be had again."""
    objects.put("leases/judge.json", b"no json")
    assert acquire(objects, "judge", "a", 60, clock) is not None


def test_a_bucket_out_of_reach_lets_it_expire(objects: Bucket, clock: FakeClock) -> None:
    """``release`` does not fail where ``renew`` does."""

    class Cut(Bucket):
        def __init__(self) -> None:
            self.cut = False

        def put_if(self, path: str, data: bytes, e_tag: str | None) -> str | None:
            if self.cut:
                raise StoreUnavailable("cut")
            return "tag"

    cut = Cut()
    lease = acquire(cut, "judge", "a", 60, clock)
    assert lease is not None
    cut.cut = True
    with pytest.raises(StoreUnavailable):
        lease.renew()
    lease.release()
    assert not lease.renew()


def test_a_taker_that_is_too_late_gets_none(bucket: str, clock: FakeClock) -> None:
    """Between seeing that a lease has expired and taking it, another may have."""
    found = open_objects(bucket)
    assert isinstance(found, Bucket)

    class Raced(Bucket):
        def __init__(self) -> None:
            self.__dict__.update(vars(found))

        def get(self, path: str) -> tuple[bytes, str]:
            seen = super().get(path)
            assert acquire(found, "judge", "faster", 60, clock) is not None
            return seen

    assert acquire(found, "judge", "a", 60, clock) is not None
    clock.time += 60
    assert acquire(Raced(), "judge", "b", 60, clock) is None


def test_only_known_stores_have_leases(clock: FakeClock) -> None:
    """A store that cannot keep a lease does not pretend to."""
    other: Any = object()
    with pytest.raises(TypeError, match="no leases"):
        acquire(other, "judge", "a", 60, clock)

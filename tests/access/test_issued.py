"""The keys that work now: looked up in memory, followed in the store, closed where it is away."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ai_gateway.access.issued import DEEPEST, IssuedKeys
from ai_gateway.access.keys import digest, row
from ai_gateway.clock import SystemClock
from ai_gateway.contract import Caller
from ai_gateway.errors import StoreAway
from ai_gateway.records import Records
from tests.access.issuing import AWAY, World
from tests.access.test_keys import KEY, TEXT
from tests.conftest import ROOT


def test_a_key_works_at_once_where_it_was_issued() -> None:
    """Its caller is known by the key's id, with all that the key says."""
    world = World()
    key, text = world.issue(
        name="ci", owner="alice", team="research", tenant="acme", scopes=["keys"], routes=["chat"]
    )
    assert world.caller(text) == Caller(
        id=key.id,
        scheme="api-key",
        tenant="acme",
        team="research",
        owner="alice",
        scopes=frozenset({"keys"}),
        routes=frozenset({"chat"}),
        models=None,
    )


def test_another_process_learns_of_it_by_looking() -> None:
    """Issued and revoked here, it works and ends there once the store was looked at."""
    here = World()
    there = World(here.store)
    there.issued.refresh()
    key, text = here.issue()
    assert there.caller(text) is None
    there.issued.refresh()
    assert there.caller(text)
    here.manager().revoke(here.manager().find(key.id))
    assert here.caller(text) is None
    there.issued.refresh()
    assert there.caller(text) is None


@pytest.mark.parametrize(
    "other",
    [
        "",
        "agw_",
        TEXT[:-1],
        TEXT + "x",
        TEXT[:20] + "y" * (len(TEXT) - 20),
        TEXT.upper(),
        "' OR 1=1 --",
        "agw_%_%",
        "\x00",
        "\udcff",
    ],
)
def test_only_the_whole_text_is_the_key(other) -> None:
    """CVE-2026-35030, CVE-2026-42208, CVE-2026-25591: no part of it, no pattern, nothing else."""
    world = World()
    world.issued.add([row(KEY, "issued", at=1, by="admin", event_id="e")])
    assert world.caller(TEXT)
    assert world.caller(other) is None


def test_two_keys_of_one_prefix_are_two_callers() -> None:
    """CVE-2026-35030: what is alike at the beginning is not the same."""
    world = World()
    texts = [TEXT[:-1] + end for end in "xyz"]
    for number, text in enumerate(texts):
        key = replace(KEY, id=f"{number}" * 32, digest=digest(text), tenant=f"t{number}")
        world.issued.add([row(key, "issued", at=1, by="admin", event_id="e")])
    assert [world.caller(text).tenant for text in texts] == ["t0", "t1", "t2"]


def test_a_key_ends_to_the_second() -> None:
    """At its expiry, without anybody having looked in between; so does one that was followed."""
    world = World()
    text = world.issue(expires_in="10s")[1]
    second, other = world.issue()
    world.manager().rotate(second, 5)
    world.clock.time += 4.999
    assert world.caller(text)
    assert world.caller(other)
    world.clock.time += 0.002
    assert world.caller(other) is None
    world.clock.time += 5
    assert world.caller(text) is None


def test_a_revoked_key_takes_its_children_along() -> None:
    """And theirs; others stay."""
    world = World()
    root, text = world.issue(scopes=["keys"])
    child, child_text = world.issue(world.caller(text), scopes=["keys"])
    grandchild = world.issue(world.caller(child_text))[1]
    sibling = world.issue(world.caller(text))[1]
    world.manager().revoke(child)
    assert [world.caller(each) is None for each in (text, child_text, grandchild, sibling)] == [
        *(False, True),
        *(True, False),
    ]
    world.manager().revoke(root)
    assert world.caller(sibling) is None


def test_a_child_outlives_its_parents_rotation_and_no_revocation_of_it() -> None:
    """It hangs on whoever follows its parent, and on the parent itself."""
    world = World()
    root, text = world.issue(scopes=["keys"])
    child = world.issue(world.caller(text))[1]
    after, _ = world.manager().rotate(root, 0)
    world.clock.time += 1
    assert world.caller(text) is None
    assert world.caller(child)
    world.manager().revoke(after)
    assert world.caller(child) is None


def test_a_child_of_nobody_does_not_work() -> None:
    """Where what it hangs on is not known, nobody could have revoked it."""
    world = World()
    orphan = replace(KEY, parent="9" * 32)
    world.issued.add([row(orphan, "issued", at=1, by="admin", event_id="e")])
    assert world.caller(TEXT) is None
    assert world.issued.revoked_at(orphan) == orphan.created_at


def test_a_circle_of_parents_does_not_work() -> None:
    """Nobody can make one; a store that holds one stops nothing and lets nobody in."""
    world = World()
    circle = replace(KEY, parent=KEY.id)
    world.issued.add([row(circle, "issued", at=1, by="admin", event_id="e")])
    assert world.caller(TEXT) is None


def test_keys_hang_on_so_many_and_no_more() -> None:
    """The deepest still works."""
    world = World()
    _, text = world.issue(scopes=["keys"])
    for _ in range(DEEPEST):
        _, text = world.issue(world.caller(text), scopes=["keys"])
    assert world.caller(text)


def test_a_store_that_cannot_be_read_at_start_lets_nobody_in(caplog) -> None:
    """Issued keys are refused until it was read once; it is told once, not every second."""
    there = World()
    text = there.issue()[1]
    here = World(there.store)
    here.store.fault = AWAY
    for _ in range(3):
        here.issued.refresh()
    assert here.caller(text) is None
    assert [entry.levelno for entry in caplog.records if "cannot be read" in entry.message] == [
        logging.ERROR
    ]
    assert here.issued.fault == "no such bucket"
    assert here.issued.status() == {"live": 0.0, "unread_seconds": float("inf")}
    with pytest.raises(StoreAway):
        here.manager().search(None)
    here.store.fault = None
    here.issued.refresh()
    assert here.caller(text)
    assert here.issued.fault is None
    here.clock.time += 3
    assert here.issued.status() == {"live": 1.0, "unread_seconds": 3.0}


@pytest.mark.parametrize("fault", [AWAY, ValueError("a row that is none"), OSError()])
def test_a_store_that_goes_away_leaves_what_is_known(fault, caplog) -> None:
    """Known keys work on, revoked ones stay revoked, whatever went wrong."""
    world = World()
    kept, ended = world.issue()[1], world.issue()
    world.manager().revoke(ended[0])
    world.issued.refresh()
    world.store.fault = fault
    world.issued.refresh()
    world.issued.refresh()
    assert world.caller(kept)
    assert world.caller(ended[1]) is None
    assert world.issued.fault
    assert len([entry for entry in caplog.records if "cannot be read" in entry.message]) == 1


def test_a_key_that_cannot_be_stored_is_not_issued() -> None:
    """Nobody has a key that only one process knows; the answer is a 503."""
    world = World()
    world.issued.refresh()
    world.store.fault = AWAY
    with pytest.raises(StoreAway):
        world.issue()
    assert world.issued.keys == {}


def test_a_revocation_holds_here_though_it_cannot_be_stored() -> None:
    """It waits in the write-ahead folder for the store; who asked is told that it waits."""
    world = World()
    key, text = world.issue()
    world.store.fault = AWAY
    with pytest.raises(StoreAway, match="once the store is back"):
        world.manager().revoke(key)
    assert world.caller(text) is None
    assert [waiting["event"] for waiting in world.store.waiting] == ["revoked"]


def test_many_threads_issue_and_end_keys_at_once() -> None:
    """None gets lost, however they meet."""
    world = World()
    world.issued.refresh()
    kept: list[str] = []
    ended: list[str] = []

    def work() -> None:
        for _ in range(20):
            kept.append(world.issue()[1])
            key, text = world.issue()
            world.manager().revoke(key)
            ended.append(text)
            world.issued.refresh()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept) == 160
    assert all(world.caller(text) for text in kept)
    assert not any(world.caller(text) for text in ended)


def test_looking_ends_when_told() -> None:
    """The thread that follows the store looks at start, and stops."""
    there = World()
    text = there.issue()[1]
    keys = IssuedKeys(there.store, there.clock, every=0.01).start()
    assert keys.find(digest(text))
    second = there.issue()[1]
    until(lambda: keys.find(digest(second)))
    keys.stop()
    assert "keys" not in [thread.name for thread in threading.enumerate()]
    IssuedKeys(there.store, there.clock).stop()  # one that never looked


WATCH = """
import sys, time
from pathlib import Path
from ai_gateway.access.issued import IssuedKeys
from ai_gateway.clock import SystemClock
from ai_gateway.records import Records

data, digest = sys.argv[1], bytes.fromhex(sys.argv[2])
records = Records.open(data, Path(data) / "wal", SystemClock())
keys = IssuedKeys(records, SystemClock()).start()
print("ready", flush=True)
for wanted in (True, False):
    while (keys.find(digest) is not None) is not wanted:
        time.sleep(0.005)
    print(time.time(), flush=True)
keys.stop()
records.close()
"""


@pytest.mark.slow
def test_every_process_knows_within_two_seconds(tmp_path: Path) -> None:
    """A real one on the same folder: of a key that was issued, and of its revocation."""
    with closing(Records.open(str(tmp_path), tmp_path / "wal", SystemClock())) as records:
        keys = IssuedKeys(records, SystemClock())
        command = [sys.executable, "-c", WATCH, str(tmp_path), KEY.digest.hex()]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout.readline() == "ready\n"
            began = time.time()
            keys.add([row(KEY, "issued", at=int(began * 1e6), by="admin", event_id="e1")])
            assert float(other.stdout.readline()) - began < 2
            began = time.time()
            ended = replace(KEY, revoked_at=int(began * 1e6))
            keys.end(row(ended, "revoked", at=int(began * 1e6), by="admin", event_id="e2"))
            assert float(other.stdout.readline()) - began < 2
            assert other.wait(10) == 0


def until(holds) -> None:
    """Wait until it holds; at most five seconds."""
    by = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < by
        time.sleep(0.01)

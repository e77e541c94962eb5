"""Events outlive processes, and requests do not wait for receivers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.records.outbox import waiting
from tests.conftest import ROOT
from tests.webhooks.conftest import SECRET

WRITER = """
import sys, time
from pathlib import Path
from random import Random
from ai_gateway.clock import SystemClock
from ai_gateway.manifest.model import Manifest
from ai_gateway.metrics import Metrics
from ai_gateway.records import Records
from ai_gateway.webhooks.hooks import Webhooks
from ai_gateway.webhooks.messages import Message
from ai_gateway.webhooks.receivers import receivers

folder, url, secret = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
clock = SystemClock()
records = Records.open(str(folder / "data"), folder / "wal", clock, background=False)
webhooks = Webhooks(folder / "wal", environment={}, records=records, clock=clock, random=Random(1),
                    metrics=Metrics())
manifest = Manifest.model_validate({"allowed_hosts": ["127.0.0.0/8"], "callback": url})
webhooks.adopt(receivers(manifest, [secret]))
webhooks._tell(Message("request.completed", {"n": n}, "chat", "acme", f"r{n}") for n in range(100))
print("told", flush=True)
time.sleep(60)
"""


def numbers(receiver) -> list[int]:
    """The order in which events came."""
    return [event["data"]["n"] for event in receiver.events()]


def order(folder: Path) -> list[int]:
    """The order in which files hold what waits."""
    bodies = [body for path in sorted(folder.glob("*.wal")) for body in waiting(path.read_bytes())]
    return [json.loads(body.partition(b" ")[2])["data"]["n"] for body in bodies]


@pytest.mark.slow
def test_a_killed_process_loses_no_event(hooks, receiver, tmp_path: Path) -> None:
    """After kill -9 the next process delivers, in order, each event that was told."""
    command = [sys.executable, "-c", WRITER, str(tmp_path), "http://127.0.0.1:9/", SECRET]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"told\n"
        os.kill(process.pid, signal.SIGKILL)
    made = hooks()
    made.adopt(callback=receiver.url)
    made.webhooks.take_over()
    assert made.waiting() == 100
    made.run()
    assert numbers(receiver) == list(range(100))
    assert made.count("delivered") == 100
    (path,) = (tmp_path / "wal" / "webhooks").glob("*.wal")
    assert path.stat().st_size == 0


def test_what_waits_at_the_end_is_delivered_after_the_next_start(hooks, receiver) -> None:
    """An orderly end sends what can be sent and keeps the rest."""
    before = hooks(threads=2, clock=SystemClock())
    before.adopt(callback={"url": receiver.url, "retries": {"backoff": "1h", "max_backoff": "1h"}})
    receiver.always = (500, {}, b"")
    before.tell(1)
    receiver.wait(1)
    receiver.always = None
    before.tell(2)
    before.tell(3, route="other")
    before.webhooks.close(drain=5.0)
    assert sorted(numbers(receiver)) == [1, 3]
    after = hooks(threads=2, clock=SystemClock())
    after.adopt(callback=receiver.url)
    receiver.wait(4)
    assert numbers(receiver)[2:] == [1, 2]


def test_an_end_waits_for_no_slow_receiver(hooks, receiver) -> None:
    """What is being sent is broken off, and kept; a second one of a dead process is the same."""
    over = threading.Event()
    receiver.script.append(lambda: (over.wait(20), (204, {}, b""))[1])
    made = hooks(threads=2, clock=SystemClock())
    made.adopt(callback={"url": receiver.url, "timeout": "30s"})
    made.tell(1)
    receiver.wait(1)
    started = time.monotonic()
    made.webhooks.close(drain=0.1)
    assert time.monotonic() - started < 2
    over.set()
    after = hooks()
    after.adopt(callback=receiver.url)
    after.webhooks.take_over()
    assert after.waiting() == 1
    assert made.count("failed") == 0


def test_order_outlives_what_was_written_anew(hooks, receiver, clock, tmp_path) -> None:
    """Events that waited for long come before younger ones of their lane after a restart too."""
    before = hooks()
    retries = {"backoff": "1h", "max_backoff": "1h"}
    before.adopt(callback={"url": receiver.url, "retries": retries})
    before.webhooks._outbox._segment_bytes = 1500
    receiver.always = (500, {}, b"")
    before.tell(1)
    clock.time += 0.01
    before.run()
    receiver.always = None
    for number in range(2, 200):
        clock.time += 0.01
        before.tell(number, route="quick" if number % 5 else "chat")
        before.run()
    waiting_still = order(tmp_path / "wal" / "webhooks")
    assert waiting_still != sorted(waiting_still)
    before.webhooks.close()
    receiver.received.clear()
    after = hooks()
    after.adopt(callback=receiver.url)
    after.webhooks.take_over()
    after.run()
    assert numbers(receiver) == sorted(waiting_still)


def test_a_slow_receiver_slows_nobody_who_tells(hooks, receiver) -> None:
    """To tell of a thousand events takes no longer than to write them down."""
    over = threading.Event()
    receiver.script.append(lambda: (over.wait(20), (204, {}, b""))[1])
    made = hooks(threads=2, clock=SystemClock())
    made.adopt(callback={"url": receiver.url, "timeout": "30s"})
    started = time.monotonic()
    made.tell(*range(1000))
    assert time.monotonic() - started < 2
    over.set()
    receiver.wait(1000, 30)
    assert numbers(receiver) == list(range(1000))


def test_a_slow_callback_leaves_threads_to_the_others(hooks, receiver) -> None:
    """However many of its routes wait, another callback is told meanwhile."""
    over = threading.Event()
    made = hooks(threads=8, clock=SystemClock())
    routes = [{"path": "/quick", "name": "quick", "callback": receiver.url.replace("hook", "q")}]
    made.adopt(callback={"url": receiver.url, "timeout": "30s"}, routes=routes)
    receiver.script.extend([lambda: (over.wait(20), (204, {}, b""))[1]] * 4)
    for number in range(10):
        made.tell(number, route=f"slow-{number}")
    receiver.wait(4)
    made.tell(99, route="quick")
    receiver.wait(5)
    assert receiver.received[4].path == "/q?a=b"
    over.set()
    receiver.wait(11)


def test_an_event_that_the_disk_does_not_take_is_sent_all_the_same(hooks, receiver, caplog) -> None:
    """It is in memory only, which is counted and said."""
    made = hooks()
    made.adopt(callback=receiver.url)
    made.webhooks._outbox._write = lambda *_: 0
    made.tell(1)
    assert made.count("unsaved") == 1
    assert "in memory only" in caplog.text
    made.run()
    assert numbers(receiver) == [1]


def full_for_a_while(made, receiver) -> None:
    """Two events that came while the disk took nothing."""
    made.adopt(callback=receiver.url)
    box = made.webhooks._outbox
    write, box._write = box._write, lambda *_: 0
    made.tell(1, 2)
    made.webhooks.take_over()
    assert order(box.folder) == []
    box._write = write


def test_an_event_is_kept_once_the_disk_takes_it_again(hooks, receiver) -> None:
    """When the outbox is looked at next; what is being sent just then is left alone."""
    made = hooks()
    full_for_a_while(made, receiver)
    made.webhooks._lanes.take(made.clock.time)
    made.webhooks.take_over()
    assert order(made.webhooks._outbox.folder) == [2]


def test_an_event_is_kept_at_the_end(hooks, receiver) -> None:
    """What was in memory only is on disk once the process has ended, if that takes it by now."""
    made = hooks()
    full_for_a_while(made, receiver)
    made.webhooks.close()
    assert order(made.webhooks._outbox.folder) == [1, 2]


def test_an_outbox_that_cannot_be_read_is_told(hooks, receiver, tmp_path, caplog) -> None:
    """The gateway starts, and looks again later."""
    made = hooks()
    made.adopt(callback=receiver.url)
    folder = tmp_path / "wal" / "webhooks"
    folder.mkdir(parents=True)
    (folder / "0001-a.wal").mkdir()
    made.webhooks.take_over()
    assert "the outbox cannot be read" in caplog.text


def test_what_is_no_event_does_not_keep_the_others(hooks, receiver, caplog) -> None:
    """The gateway starts and sends the rest; what it does not understand stays on disk."""
    before = hooks()
    before.adopt(callback=receiver.url)
    for body in (b"(bundle) {", b"(bundle) {}", b"(bundle) []"):
        before.webhooks._outbox.put(body)
    before.tell(1)
    before.webhooks.close()
    after = hooks()
    after.adopt(callback=receiver.url)
    after.webhooks.take_over()
    after.run()
    assert numbers(receiver) == [1]
    assert caplog.text.count("not one of ours") == 3
    after.webhooks.close()
    assert len(hooks().webhooks._outbox.adopt()) == 3


def test_what_fails_inside_never_reaches_who_tells(hooks, receiver, caplog) -> None:
    """A request does not fail by its event: the log has it."""
    made = hooks()
    made.adopt(callback=receiver.url)
    made.webhooks.decided(None)
    made.webhooks.alerted(None)
    made.webhooks.audited({}, None)
    made.webhooks.published("w", None)
    assert caplog.text.count("an event is lost") == 4


def test_more_than_may_wait_was_left(hooks, receiver) -> None:
    """What does not fit any more is a dead letter; nothing of it is lost."""
    before = hooks()
    before.adopt(callback=receiver.url)
    before.tell(1, 2, 3)
    before.webhooks.close()
    after = hooks(most=2)
    after.adopt(callback=receiver.url)
    after.webhooks.take_over()
    after.run()
    assert numbers(receiver) == [1, 2]
    assert [(row["request_id"], row["reason"]) for row in after.rows()] == [("r3", "queue_full")]
    assert hooks().webhooks._outbox.adopt() == []


def test_nothing_is_sent_after_the_end(hooks, receiver) -> None:
    """What a thread took just before is broken off at once, and kept."""
    made = hooks()
    made.adopt(callback=receiver.url)
    made.tell(1)
    made.webhooks.close()
    made.webhooks.step()
    assert not receiver.received
    assert made.waiting() == 1

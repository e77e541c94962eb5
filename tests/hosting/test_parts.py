"""The pool and the outbox on their own: what a socket cannot bring about at will."""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial

import pytest

from ai_gateway.errors import BadRequest
from ai_gateway.hosting import Refusal, ServerOptions
from ai_gateway.hosting.arrival import Arrival
from ai_gateway.hosting.bridge import Bridge
from ai_gateway.hosting.outbox import Outbox
from ai_gateway.hosting.pool import ThreadPool
from tests.hosting.conftest import wait_until


def test_threads_go_when_idle_and_come_back() -> None:
    """A thread without a job for a while ends, and the next job gets another."""
    pool = ThreadPool("test", 2, 0, idle_seconds=0.05)
    for _ in range(2):
        done = threading.Event()
        assert pool.submit(done.set)
        assert done.wait(2)
        assert wait_until(lambda: pool.size == 0)


def test_idle_thread_is_used_again() -> None:
    """Jobs that come one after the other share one thread."""
    pool, threads = ThreadPool("test", 9, 0), []
    for number in range(20):
        assert pool.submit(lambda: threads.append(threading.get_ident()))
        assert wait_until(partial(_longer, threads, number))
        assert wait_until(lambda: pool.idle == 1)
    assert (pool.size, len(set(threads))) == (1, 1)


def _longer(values: list[int], than: int) -> bool:
    return len(values) > than


def test_failing_job_costs_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    """A job that raises is logged, and its thread takes the next one."""
    pool, done = ThreadPool("test", 1, 5), threading.Event()

    def fail() -> None:
        raise ValueError

    assert pool.submit(fail)
    assert pool.submit(done.set)
    assert done.wait(2)
    assert "failed" in caplog.text


def test_no_job_is_lost_when_threads_come_to_their_end() -> None:
    """Jobs handed over in the moment in which a thread gives up are run all the same."""
    ran: list[int] = []
    pool = ThreadPool("test", 3, 10_000, idle_seconds=0.0005)
    for number in range(3000):
        assert pool.submit(partial(ran.append, number))
        if number % 3 == 0:
            time.sleep(0.0005)
    assert wait_until(lambda: len(ran) == 3000)
    assert wait_until(lambda: pool.size == 0)


def test_machine_without_threads() -> None:
    """When the machine gives no more threads, jobs wait for those there are."""
    pool, release, ran = ThreadPool("test", 5, 1), threading.Event(), threading.Event()

    def wait() -> None:
        release.wait(5)

    assert pool.submit(wait)
    old = threading.stack_size()
    threading.stack_size(1 << 46)
    try:
        assert pool.submit(ran.set)
        assert not pool.submit(ran.set)
    finally:
        threading.stack_size(old)
        release.set()
    assert ran.wait(2)


def test_outbox_of_a_stopped_server() -> None:
    """A handler that outlives the server ends without an error of its own."""
    loop = asyncio.new_event_loop()
    outbox = Outbox(loop, Arrival(), ready=list)
    loop.close()
    outbox.put(b"x")
    outbox.finish()
    assert outbox.finished


def test_an_outbox_wakes_the_event_loop_once_a_batch() -> None:
    """However much is put before it has been taken."""
    woken: list[bool] = []

    async def batch() -> tuple[bytes, bool]:
        outbox = Outbox(asyncio.get_running_loop(), Arrival(), lambda: woken.append(True))
        for _ in range(3):
            outbox.put(b"x")
        await asyncio.sleep(0.01)
        taken = outbox.take()
        outbox.finish()
        await asyncio.sleep(0.01)
        assert outbox.take() == (b"", True)
        return taken

    assert asyncio.run(batch()) == (b"xxx", False)
    assert woken == [True, True]


def test_too_many_refusals_are_said_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """When refusals come faster than they can be recorded, the log says that some were not."""
    release = threading.Event()

    def slow(_: Refusal) -> None:
        release.wait(10)

    bridge = Bridge(lambda *_: [], ServerOptions(), slow)
    for _ in range(10_002):
        bridge.note(Refusal(BadRequest("no")))
    release.set()
    assert "was not recorded" in caplog.text

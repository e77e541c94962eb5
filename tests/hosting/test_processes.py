"""Signals, and several workers on one port, with real processes."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ai_gateway.hosting import ServerOptions, serve, supervise
from ai_gateway.hosting.server import allow_many_files, wake_patiently
from ai_gateway.settings import Settings
from tests.hosting.conftest import running, wait_until

PROGRAM = Path(__file__).with_name("program.py")
ROOT = Path(__file__).parents[2]


class Program:
    """One running program and the lines that it prints."""

    def __init__(self, *arguments: str, **options: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), json.dumps(options), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**Settings.read().variables, "PYTHONPATH": str(ROOT)},
        )

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def get(self, query: str = "") -> str:
        with urllib.request.urlopen(f"{self.url}/?{query}", timeout=10) as answer:
            return str(answer.read().decode())

    def begin(self) -> Program:
        self.url = self.line()
        assert self.url.startswith("http://127.0.0.1:")
        return self

    def end(self) -> tuple[int, str]:
        """The exit code and what was logged."""
        _, errors = self.process.communicate(timeout=15)
        return self.process.returncode, errors


@contextlib.contextmanager
def program(*arguments: str, **options: Any) -> Iterator[Program]:
    """A program that answers; it is killed if the test leaves it behind."""
    started = Program(*arguments, **options)
    try:
        yield started.begin()
    finally:
        started.process.kill()
        started.process.communicate()


def in_background(program: Program, query: str) -> queue.Queue[str]:
    """Ask in a thread; the answer, or the error's name."""
    answers: queue.Queue[str] = queue.Queue()

    def ask() -> None:
        try:
            answers.put(program.get(query))
        except OSError as error:
            answers.put(type(error).__name__)

    threading.Thread(target=ask).start()
    return answers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_graceful_stop(number: signal.Signals) -> None:
    """On a signal nothing new is taken, what is in flight is answered, then records are flushed."""
    with program() as server:
        answer = in_background(server, "0.7")
        time.sleep(0.2)
        server.process.send_signal(number)
        time.sleep(0.25)
        with pytest.raises(OSError, match="refused"):
            server.get()
        assert answer.get(timeout=5) == str(server.process.pid)
        assert server.line() == "stopping"
        assert server.end() == (0, "")


def test_grace_is_bounded() -> None:
    """A request that takes longer than the grace is given up, and records are flushed still."""
    with program(grace_seconds=0.3) as server:
        answer = in_background(server, "8")
        time.sleep(0.2)
        started = time.monotonic()
        server.process.terminate()
        assert server.line() == "stopping"
        assert server.end()[0] == 0
        assert time.monotonic() - started < 3
        assert answer.get(timeout=5) != str(server.process.pid)


def test_second_signal_ends_at_once() -> None:
    """A second signal ends the process without waiting."""
    with program() as server:
        answer = in_background(server, "8")
        time.sleep(0.2)
        server.process.terminate()
        time.sleep(0.3)
        started = time.monotonic()
        server.process.terminate()
        assert server.end()[0] == 1
        assert time.monotonic() - started < 2
        answer.get(timeout=5)


def test_hangup_keeps_serving() -> None:
    """SIGHUP calls the reload in the process that serves, which serves on."""
    with program() as server:
        for _ in range(2):
            server.process.send_signal(signal.SIGHUP)
            assert server.line() == "hangup"
            assert server.get() == str(server.process.pid)


def test_workers_share_a_port() -> None:
    """Several workers answer on one port; SIGHUP reaches each; a graceful stop ends all."""
    with program("--workers", "2") as server:
        seen = {server.get() for _ in range(60)}
        assert len(seen) == 2
        server.process.send_signal(signal.SIGHUP)
        assert [server.line(), server.line()] == ["hangup", "hangup"]
        answer = in_background(server, "0.6")
        time.sleep(0.2)
        server.process.terminate()
        assert answer.get(timeout=5) in seen
        assert [server.line(), server.line()] == ["stopping", "stopping"]
        assert server.end() == (0, "")


def test_dead_worker_is_replaced() -> None:
    """A worker that is killed is replaced by another on the same port."""
    with program("--workers", "2") as server:
        seen = {server.get() for _ in range(60)}
        os.kill(int(seen.pop()), signal.SIGKILL)
        time.sleep(0.1)
        assert wait_until(lambda: len({server.get() for _ in range(30)} - seen) == 1)
        server.process.terminate()
        code, errors = server.end()
        assert code == 0
        assert "another takes its place" in errors


def test_stop_while_a_worker_is_being_replaced() -> None:
    """A stop that comes between a worker's end and its successor's start ends all."""
    with program("--workers", "2") as server:
        os.kill(int(server.get()), signal.SIGKILL)
        time.sleep(0.2)
        server.process.terminate()
        assert server.end()[0] == 0


def test_worker_that_never_answers_stops_all() -> None:
    """A worker that ends before it ever answered is no reason to try again."""
    failed = Program("--workers", "2", "--broken")
    code, errors = failed.end()
    assert code == 1
    assert "ended with 3 before it answered" in errors


def test_workers_end_with_their_supervisor() -> None:
    """When the supervisor is killed its workers stop, so that the port is free again."""
    with program("--workers", "2") as server:
        server.process.kill()

        def free() -> bool:
            try:
                server.get()
            except OSError:
                return True
            return False

        assert wait_until(free)


def test_second_signal_kills_workers() -> None:
    """A second signal ends the workers without waiting."""
    with program("--workers", "2") as server:
        answer = in_background(server, "8")
        time.sleep(0.2)
        server.process.terminate()
        time.sleep(0.3)
        server.process.terminate()
        started = time.monotonic()
        server.end()
        assert time.monotonic() - started < 2
        answer.get(timeout=5)


def test_stuck_worker_is_killed() -> None:
    """A worker that does not end after its grace is killed."""
    with program("--workers", "2", grace_seconds=-8.0) as server:  # less the time to flush
        pid = int(server.get())
        os.kill(pid, signal.SIGSTOP)
        server.process.terminate()
        assert server.end()[0] == 0


@pytest.mark.parametrize(
    "start",
    [
        lambda options: serve(lambda *_: [], options, ready=print),
        lambda options: supervise([], 2, options, ready=print),
    ],
    ids=["serve", "supervise"],
)
def test_taken_port_is_an_error(start: Callable[[ServerOptions], int]) -> None:
    """A port that another holds is an OSError for the runner to report, never shared."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = ServerOptions(port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            start(options)


def test_ipv6() -> None:
    """An IPv6 address is served, and its URL has brackets."""
    urls: queue.Queue[str] = queue.Queue()

    def app(_: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [])
        return [b"six"]

    def ready(url: str) -> None:
        urls.put(url)

    with running(app, host="::1", ready=ready):
        url = urls.get(timeout=5)
        assert url.startswith("http://[::1]:")
        with urllib.request.urlopen(url, timeout=5) as answer:
            assert answer.read() == b"six"


def test_many_files_are_allowed() -> None:
    """A soft limit below what a thousand requests need is raised, never beyond the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
        allow_many_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(hard, 65_536)
        allow_many_files()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="Linux alone has this policy")
def test_threads_of_the_server_wake_patiently() -> None:
    """The thread that asks for it, and every thread that is started from it."""
    found = []

    def serve() -> None:
        wake_patiently()
        inner = threading.Thread(target=lambda: found.append(os.sched_getscheduler(0)))
        inner.start()
        inner.join()

    outer = threading.Thread(target=serve)
    outer.start()
    outer.join()
    assert found == [os.SCHED_BATCH]

"""Work beside the requests is bounded, its failures are logged, and it ends when told."""

import threading
import time

import pytest

from ai_gateway.resilience.aside import Aside, Ending


@pytest.fixture
def aside():
    """At most three pieces of work at once."""
    running = Aside(most=3)
    yield running
    running.close()


def wait(ending: Ending) -> None:
    """Work that lasts until it is told to end."""
    over = threading.Event()
    ending.add_callback(over.set)
    assert over.wait(5)


def test_no_more_than_its_limit_at_once(aside) -> None:
    """By name, and in all; what was left out is not made up for."""
    assert [aside.run("a", 2, wait) for _ in range(3)] == [True, True, False]
    assert [aside.run("b", 2, wait) for _ in range(2)] == [True, False]
    assert aside.running == 3


def test_when_it_ends_there_is_room_again(aside) -> None:
    """Also where it failed, of which the log has the cause."""
    done = threading.Event()
    assert aside.run("a", 1, lambda _: done.set())
    assert done.wait(5)
    while aside.running:
        time.sleep(0.001)
    assert aside.run("a", 1, wait)


def test_a_failure_is_logged(aside, caplog) -> None:
    """Nobody waits for it, so nobody else would hear of it."""

    def fail(_ending: Ending) -> None:
        raise ZeroDivisionError("of nobody")

    assert aside.run("a", 1, fail)
    aside.close()
    assert "of nobody" in caplog.text


def test_after_the_end_nothing_begins(aside) -> None:
    """All that was under way is told, and ends."""
    assert aside.run("a", 1, wait)
    aside.close()
    assert aside.running == 0
    assert not aside.run("a", 1, wait)


def test_who_asks_late_is_told_at_once() -> None:
    """A callback that is added after the end is called."""
    ending, told = Ending(), []
    ending.end()
    ending.add_callback(lambda: told.append(1))
    assert (ending.is_set(), told) == (True, [1])

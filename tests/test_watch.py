"""A watch looks again and again, and no more once it is stopped."""

import time

from ai_gateway.watch import Watch


def test_it_looks_until_it_is_stopped() -> None:
    """Every so many seconds, in a thread of its own."""
    looks: list[float] = []
    watch = Watch("test", 0.01, lambda: looks.append(time.monotonic()))
    watch.start()
    ends = time.monotonic() + 5
    while len(looks) < 3:
        assert time.monotonic() < ends
        time.sleep(0.01)
    watch.stop()
    seen = len(looks)
    time.sleep(0.05)
    assert len(looks) == seen


def test_one_that_never_began_can_be_stopped() -> None:
    """A service that failed to start lets go of all its parts."""
    Watch("test", 60, lambda: None).stop()

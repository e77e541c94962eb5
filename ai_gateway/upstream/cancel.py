"""Ending an exchange from another thread, because its caller has left.

The thread of the exchange sleeps in a read; shutting its socket down wakes it. A Hold stands
between the two: it knows which wire its exchange is on at the moment, and the wire takes an
interruption from the Hold of its present exchange only, so that one that comes late hurts nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import httpcore

#: Seconds between looks at whether the caller is still there, where no socket can be shut down.
LOOK = 0.4


class Cancel(Protocol):
    """Says whether, and when, the caller leaves; any thread may."""

    def is_set(self) -> bool:
        """Whether the caller has left."""

    def add_callback(self, callback: Callable[[], object], /) -> None:
        """Call ``callback`` when the caller leaves, or now; it is quick and does not raise."""


class Never:
    """A caller who stays."""

    def is_set(self) -> bool:
        """Whether the caller has left."""
        return False

    def add_callback(self, callback: Callable[[], object], /) -> None:
        """There is nothing to be called for."""


NEVER = Never()


class Interrupted(httpcore.ReadError):
    """The exchange was ended from outside."""


class Unsent(httpcore.ConnectError):
    """The same, before anything was sent."""


class Interruptible(Protocol):
    """What an exchange goes over."""

    def interrupt(self, hold: Hold) -> None:
        """Wake whoever reads or writes, if ``hold`` is of the present exchange."""

    def hurry(self, seconds: float) -> None:
        """Let the exchange end within ``seconds``."""


class Hold:
    """One exchange's hold on the wire that it is on."""

    __slots__ = ("_wire", "fired")

    def __init__(self, cancel: Cancel = NEVER) -> None:
        self._wire: Interruptible | None = None
        #: Whether the caller has left.
        self.fired = False
        if cancel is not NEVER:
            cancel.add_callback(self._fire)

    def take(self, wire: Interruptible) -> None:
        """The exchange is on ``wire`` from now on; raises Unsent if its caller has left."""
        # Either this thread sees ``fired``, or the other one sees the wire.
        self._wire = wire
        self.check()

    def drop(self) -> None:
        """The exchange is on no wire any more."""
        self._wire = None

    def check(self) -> None:
        """Raise Unsent if the caller has left."""
        if self.fired:
            raise Unsent("the caller left")

    def hurry(self, seconds: float) -> None:
        """Let the exchange end within ``seconds``."""
        if self._wire is not None:
            self._wire.hurry(seconds)

    def _fire(self) -> None:
        self.fired = True
        wire = self._wire
        if wire is not None:
            wire.interrupt(self)


#: Whose caller never leaves.
NOBODY = Hold()

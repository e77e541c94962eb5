"""What waits to be sent: a lane for each callback and route, whose first message goes first.

A lane sends one message at a time and in order, so that one that is not taken holds up those behind
it, and no other lane. Nothing here is locked: who uses it does that.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ai_gateway.records.outbox import Slip


@dataclass(slots=True, eq=False)
class Pending:
    """One message on its way to one receiver; ``lane`` is its route's name, or empty."""

    callback: str
    lane: str
    message_id: str
    body: bytes = field(repr=False)
    #: What keeps it on disk; None where the disk took nothing.
    slip: Slip | None = field(default=None, repr=False)
    #: Times that it was sent and not taken.
    attempts: int = 0


@dataclass(slots=True)
class _Lane:
    due: float
    messages: deque[Pending] = field(default_factory=deque)
    busy: bool = False


class Lanes:
    """Times are of the clock's monotonic time.

    Args:
        most: Messages that one callback may have waiting.
        at_once: Lanes of one callback that are sent from at once: one that answers slowly does
            not keep the others from theirs.
    """

    def __init__(self, most: int, at_once: int) -> None:
        self._most = most
        self._at_once = at_once
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._waiting: Counter[str] = Counter()
        self._busy: Counter[str] = Counter()

    def add(self, pending: Pending, now: float) -> None:
        """Put it behind those of its lane."""
        lane = self._lanes.setdefault((pending.callback, pending.lane), _Lane(now))
        lane.messages.append(pending)
        self._waiting[pending.callback] += 1

    def full(self, callback: str) -> bool:
        """Whether it has as many waiting as it may."""
        return self._waiting[callback] >= self._most

    def waiting(self, callback: str) -> int:
        """Messages that wait, those that are being sent among them."""
        return self._waiting[callback]

    def take(self, now: float) -> Pending | None:
        """The first message of the lane that has been due longest; the lane is busy from now on."""
        due = [(lane.due, key) for key, lane in self._free() if lane.due <= now]
        if not due:
            return None
        _, key = min(due)
        lane = self._lanes[key]
        lane.busy = True
        self._busy[key[0]] += 1
        return lane.messages[0]

    def wait(self, now: float) -> float | None:
        """Seconds until a lane is due; None while none will be."""
        due = min((lane.due for _, lane in self._free()), default=None)
        return None if due is None else max(0.0, due - now)

    def over(self, pending: Pending, now: float) -> None:
        """It was sent, or given up: the next of its lane is due."""
        lane = self._freed(pending, now)
        lane.messages.popleft()
        self._waiting[pending.callback] -= 1
        if not lane.messages:
            del self._lanes[pending.callback, pending.lane]

    def later(self, pending: Pending, due: float) -> None:
        """It is to be sent again."""
        self._freed(pending, due)

    def unsaved(self) -> list[Pending]:
        """What no disk keeps and nobody sends right now."""
        return [
            pending
            for lane in self._lanes.values()
            for pending in islice(lane.messages, 1 if lane.busy else 0, None)
            if pending.slip is None
        ]

    def hurry(self, callback: str, now: float) -> None:
        """All of ``callback`` is due: it is another now."""
        for (name, _), lane in self._lanes.items():
            if name == callback:
                lane.due = min(lane.due, now)

    def active(self, now: float) -> bool:
        """Whether something is being sent, or could be."""
        return any(lane.busy or lane.due <= now for lane in self._lanes.values())

    def _free(self) -> Iterator[tuple[tuple[str, str], _Lane]]:
        for key, lane in self._lanes.items():
            if not lane.busy and self._busy[key[0]] < self._at_once:
                yield key, lane

    def _freed(self, pending: Pending, due: float) -> _Lane:
        lane = self._lanes[pending.callback, pending.lane]
        lane.busy, lane.due = False, due
        self._busy[pending.callback] -= 1
        return lane

"""What waits to be sent, on disk until it was: an entry survives ``kill -9`` from its writing on.

One segment after another, as of the write-ahead folder, in a folder of its own. A line is
``event CRC32 NUMBER BODY`` or ``done CRC32 NUMBER``, encrypted where there are keys. A file goes
once nothing in it waits; what waits in one whose process is dead is written anew by the process
that adopts it. Killed in between, an entry is there twice: whoever is sent it must be able to tell.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from ai_gateway.records import keyring, segments
from ai_gateway.records.segments import Segment, Write, frame, unframe

if TYPE_CHECKING:
    from ai_gateway.clock import Clock
    from ai_gateway.records.keyring import Keyring

log = logging.getLogger(__name__)

_EVENT: Final = "event"
_DONE: Final = "done"
#: Files of one process beyond which one goes, and the share of it that may wait to be written anew.
_FILES: Final = 8
_FEW: Final = 0.5


@dataclass(slots=True, eq=False)
class _Pile:
    """A segment, and what of it still waits, by number."""

    segment: Segment
    slips: dict[int, Slip] = field(default_factory=dict)
    next: int = 0

    @property
    def share(self) -> float:
        """Of what it was given, what still waits."""
        return len(self.slips) / max(1, self.next)


@dataclass(slots=True, eq=False)
class Slip:
    """One entry; ``body`` is a line without its end."""

    body: bytes = field(repr=False)
    #: Where it stands; nowhere once it is done.
    pile: _Pile | None = field(default=None, repr=False)
    number: int = 0


class Outbox:
    """This process's part of the folder. Any thread may call."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        *,
        write: Write = os.write,
        segment_bytes: int = 4_000_000,
        keys: Keyring | None = None,
    ) -> None:
        self.folder = folder
        self._clock = clock
        self._write = write
        self._segment_bytes = segment_bytes
        self._keys = keys
        self._lock = Lock()
        self._piles: list[_Pile] = []
        #: Files of dead processes that could not be taken over.
        self._refused: set[Path] = set()

    def put(self, body: bytes) -> Slip:
        """Keep ``body``, which has no line feed, until its Slip is done; raises OSError."""
        slip = Slip(body)
        with self._lock:
            self._put(slip, self._current())
        return slip

    def done(self, slip: Slip) -> None:
        """It was sent, or is kept elsewhere. A disk that fails now brings it back at a restart."""
        with self._lock:
            pile, slip.pile = slip.pile, None
            if pile is None:
                return
            del pile.slips[slip.number]
            try:
                self._strike(pile, slip.number)
            except OSError:
                log.exception("an event that was delivered is still in the outbox")

    def adopt(self) -> list[Slip]:
        """What dead processes left, in their files' order; raises OSError without the folder.

        A file that cannot be taken over, such as one whose key is not held here, is told of once,
        stays, and holds up no other.
        """
        with self._lock:
            own = frozenset(pile.segment.path for pile in self._piles)
        left = segments.abandoned(self.folder, own)
        self._refused.intersection_update(left)
        return [slip for path in left for slip in self._adopted(path)]

    def close(self) -> None:
        """Let go of what waits: the next process to adopt has it."""
        with self._lock:
            for pile in self._piles:
                if pile.slips:
                    for slip in pile.slips.values():
                        slip.pile = None  # its file is another's, once it is closed
                    pile.segment.release()
                else:
                    pile.segment.remove()
            self._piles = []

    def _put(self, slip: Slip, pile: _Pile) -> None:
        line = frame(_EVENT, b"%d %b" % (pile.next, slip.body))
        pile.segment.append(line, 1, self._write)
        slip.pile, slip.number = pile, pile.next
        pile.slips[pile.next] = slip
        pile.next += 1

    def _current(self) -> _Pile:
        if not self._piles or self._piles[-1].segment.size >= self._segment_bytes:
            fresh = segments.create(self.folder, self._clock.now(), self._keys)
            self._piles.append(_Pile(fresh))
            sparsest = min(self._piles, key=lambda pile: (pile is self._piles[-1], pile.share))
            if len(self._piles) > _FILES and sparsest.share <= _FEW:
                self._rewrite(sparsest)
        return self._piles[-1]

    def _rewrite(self, pile: _Pile) -> None:
        """What waits in a file is written into the newest: a few keep no file."""
        for number, slip in list(pile.slips.items()):
            self._put(slip, self._piles[-1])
            del pile.slips[number]
        self._piles.remove(pile)
        pile.segment.remove()

    def _strike(self, pile: _Pile, number: int) -> None:
        if pile.slips:
            pile.segment.append(frame(_DONE, b"%d" % number), 0, self._write)
        elif pile is self._piles[-1]:
            pile.segment.empty()
        else:
            self._piles.remove(pile)
            pile.segment.remove()

    def _adopted(self, path: Path) -> list[Slip]:
        try:
            segment = segments.adopt(path)
            found = self._taken_over(segment) if segment else []
        except OSError as error:
            if path not in self._refused:
                log.error("the outbox cannot be read: %s: %s", path.name, error.strerror)  # noqa: TRY400 - foreseen
            self._refused.add(path)
            return []
        self._refused.discard(path)
        return found

    def _taken_over(self, segment: Segment) -> list[Slip]:
        taken: list[Slip] = []
        try:
            data = keyring.lines(self._keys, segment.name, segment.read())
            taken.extend(self.put(body) for body in waiting(data))
        except OSError:
            for slip in taken:
                self.done(slip)
            segment.release()
            raise
        segment.remove()
        return taken


def waiting(data: bytes) -> Iterator[bytes]:
    """The bodies of a file's events that were not done; a damaged line is left out, and told."""
    events: dict[bytes, bytes] = {}
    for line in data.split(b"\n"):
        found = unframe(line) if line else (_DONE, b"")
        if found is None:
            log.warning("a line of the outbox is damaged, and left out")
            continue
        number, _, body = found[1].partition(b" ")
        if found[0] == _EVENT:
            events[number] = body
        else:
            events.pop(number, None)
    yield from events.values()

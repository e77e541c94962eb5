"""Events of a stream that wait until it is known what of their text may leave, and as what.

The pieces of one string come in many events. A ``Channel`` is that string; a scan says up to where
it is safe, and what stands in the place of which part. An event leaves once all of it is safe, in
the order in which the events came.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from ai_gateway.answer.beside import UNSAID, Place, Slot, slots

Event = dict[str, Any]

#: A string of which nothing came while so many characters came elsewhere is taken to be complete.
IDLE: Final = 80
#: The APIs whose events hold either a piece of a string, and are called so, or all of it.
_NAMED: Final = ("response.", "transcript.")


@dataclass(slots=True)
class Channel:
    """One string as far as it has come. Places are characters from its beginning."""

    place: Place
    escaped: bool
    #: All of it, in pieces.
    pieces: list[str] = field(default_factory=list)
    #: Where what scans still look at begins, and how long it is by now.
    start: int = 0
    end: int = 0
    #: Up to where it was looked at, and up to where it may leave.
    seen: int = 0
    safe: int = 0
    #: What stands in the place of parts of it that have not left: start, end, text; in order.
    spans: deque[tuple[int, int, str]] = field(default_factory=deque)
    #: How much its answer had said, all strings together, when the last of it came.
    heard: int = 0
    _text: str = ""
    _fresh: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its end, from ``start`` on: what scans still look at."""
        if self._fresh:
            self._text = "".join((self._text, *self._fresh))
            self._fresh.clear()
        return self._text

    @property
    def whole(self) -> str:
        """All that has come of it."""
        return "".join(self.pieces)

    @property
    def complete(self) -> bool:
        """Whether each event holds all of such a string."""
        kind = str(self.place[0])
        return kind.startswith(_NAMED) and not kind.endswith(".delta")

    @property
    def answer(self) -> Place:
        """Which of several answers it is of, that come at the same time."""
        return self.place[1:4] if self.place[1:2] == ("choices",) else ()

    @property
    def due(self) -> bool:
        """Whether enough is new to look at all that waits: else that costs the square of it."""
        return self.end > self.seen and (self.end - self.seen) * 4 >= self.end - self.safe

    def add(self, piece: str) -> tuple[int, int]:
        """One more piece; where it stands."""
        begin = self.end
        self.end += len(piece)
        self.pieces.append(piece)
        self._fresh.append(piece)
        return begin, self.end

    def forget(self, before: int) -> None:
        """No scan looks again at what stands ``before``."""
        if before > self.start:
            self._text = self.text[before - self.start :]
            self.start = before

    def said(self, begin: int, end: int, piece: str) -> str:
        """What leaves in the place of ``piece``, which is the next to leave."""
        if not self.spans:
            return piece
        out, done = [], begin
        for start, stop, instead in self.spans:
            if start >= end:
                break
            out.append(piece[done - begin : max(start, begin) - begin])
            if start >= begin:
                out.append(instead)
            done = min(stop, end)
        while self.spans and self.spans[0][1] <= end:
            self.spans.popleft()
        return "".join((*out, piece[done - begin :]))


class Scan(Protocol):
    """Looks at what is new in a channel; ``final`` where nothing more will come."""

    def __call__(self, channel: Channel, /, *, final: bool) -> None:
        """Move the channel's ``seen`` and ``safe``."""


@dataclass(slots=True)
class Flow:
    """The events that wait. ``scan`` moves a channel's ``safe``; at its end it is told so.

    ``unsaid`` are the keys whose strings are let alone.
    """

    scan: Scan
    unsaid: Collection[str] = UNSAID
    channels: dict[Place, Channel] = field(default_factory=dict)
    #: Characters that have left.
    left: int = 0
    #: Of which not all may leave yet.
    _open: dict[Place, Channel] = field(default_factory=dict)
    _heard: Counter[Place] = field(default_factory=Counter)
    _waiting: deque[tuple[Event, list[tuple[Slot, Channel, int, int]]]] = field(
        default_factory=deque
    )

    def add(self, event: Event) -> int:
        """One more event; how many characters of a channel of it are to be looked at."""
        parts, most = [], 0
        for slot in slots(event, self.unsaid):
            channel = self.channels.get(slot.place)
            if channel is None:
                channel = self.channels[slot.place] = Channel(slot.place, slot.escaped)
            begin, end = channel.add(slot.text)
            parts.append((slot, channel, begin, end))
            if slot.text:
                self._open[slot.place] = channel
                self._heard[channel.answer] += len(slot.text)
                channel.heard = self._heard[channel.answer]
            if channel.due:
                most = max(most, end - channel.seen)
        self._waiting.append((event, parts))
        return most

    def look(self, *, final: bool = False) -> Iterator[Event]:
        """Scan what is new, then the events that may leave."""
        for place, channel in list(self._open.items()):
            over = final or channel.complete or self._idle(channel)
            if over or channel.due:
                self.scan(channel, final=over)
            if channel.safe >= channel.end:
                del self._open[place]
        return self._leaving()

    def _idle(self, channel: Channel) -> bool:
        return self._heard[channel.answer] - channel.heard >= IDLE

    def _leaving(self) -> Iterator[Event]:
        waiting = self._waiting
        while waiting and all(end <= channel.safe for _, channel, _, end in waiting[0][1]):
            event, parts = waiting.popleft()
            for slot, channel, begin, end in parts:
                said = channel.said(begin, end, slot.text)
                self.left += len(said)
                if said is not slot.text:
                    slot.holder[slot.key] = said
            yield event

"""A streamed answer that is checked in windows while it flows, and once more as a whole at its end.

What a window shows is confirmed on all that has come, so that a window's cut edge refuses nothing
that the whole would not. The last events wait for the check of the whole, which is the same as that
of an answer in one piece: streamed or not, the verdict is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from ai_gateway.answer.beside import mute, read
from ai_gateway.answer.call import Chunks
from ai_gateway.answer.flow import Channel, Event, Flow
from ai_gateway.answer.guard import Guarding
from ai_gateway.answer.record import Decision
from ai_gateway.answer.vault import merged
from ai_gateway.errors import GatewayError, GuardrailUnavailable, PolicyViolation
from ai_gateway.guardrails.inspection import Inspection
from ai_gateway.guardrails.policy import Streaming
from ai_gateway.guardrails.scene import Text

#: Characters at the end of what has come that wait where a policy redacts: what is to be redacted
#: is found once it is there in full.
HOLD: Final = 80
_LONGEST_WORD: Final = 40  # characters


class Guarded:
    """Passes on what the policies let pass; ``written`` is told once, when all is over."""

    def __init__(
        self,
        chunks: Chunks,
        guarding: Guarding,
        streaming: Streaming,
        decision: Decision,
        written: Callable[[Decision], None],
    ) -> None:
        self._chunks = chunks
        self._guarding = guarding
        self._streaming = streaming
        self._decision = decision
        self._written: Callable[[Decision], None] | None = written
        self._flow = Flow(self._scan)
        self._full = streaming.buffer == "full"
        self._hold = HOLD if guarding.redacts else 0
        # What is to be redacted begins as it does in the whole: not in the middle of a word.
        self._overlap = max(streaming.overlap, 2 * self._hold)
        #: Of each channel: how long it must be before a window is confirmed again.
        self._confirmed: dict[int, int] = {}
        #: What kinds stand in the place of.
        self._settled: set[str] = set()
        self._events = self._checked()
        self._first: list[Event] = []

    def begin(self) -> None:
        """Wait for the first event that may leave; raises what keeps it from leaving."""
        try:
            self._first = [event for event in (next(self._events, None),) if event is not None]
        except GatewayError as error:
            self._broken(error)
            self._written = None  # it is recorded as an answer that never began
            raise
        except BaseException:
            self._chunks.close()
            raise

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The events' data; a GatewayError where it breaks, PolicyViolation where it is refused."""
        try:
            yield from self._first
            yield from self._events
        except GatewayError as error:
            self._broken(error)
            self._decision.status, self._decision.error = error.status, error.code
            self._over()
            raise
        self._over()

    def close(self) -> None:
        """Let go of the stream; who closes before its end has left."""
        self._chunks.close()
        self._over()

    def _broken(self, error: GatewayError) -> None:
        self._chunks.close()
        if isinstance(error, (PolicyViolation, GuardrailUnavailable)):
            self._decision.leaked = self._flow.left
            self._decision.attempts[-1].error = None  # the model did not fail

    def _over(self) -> None:
        written, self._written = self._written, None
        if written is not None:
            written(self._decision)

    def _checked(self) -> Iterator[Event]:
        for event in self._chunks:
            if self._hold:
                mute(event)
            if self._flow.add(event) >= self._streaming.window and not self._full:
                yield from self._flow.look()
        self._chunks.close()
        channels = self._flow.channels.values()
        said = [said for each in channels for said in read(each.whole, escaped=each.escaped)]
        found = self._guarding.whole(self._decision.output or "", said)
        passing = self._flow.look(final=True)
        self._guarding.spare(found, self._settled)
        yield from passing

    def _scan(self, channel: Channel, /, *, final: bool) -> None:
        begin = self._begin(channel)
        window = channel.text[begin - channel.start :]
        found = self._guarding.look(Text(window, "output"))
        if found.action == "block":
            self._confirm(channel, found)
        channel.seen = channel.end
        safe = channel.end if final else max(channel.safe, channel.end - self._hold)
        if found.redactions:
            safe = _settle(channel, found, begin, safe, final=final)
            self._settled.update(
                window[start - begin : stop - begin]
                for start, stop, _ in channel.spans
                if start >= begin
            )
        channel.safe = safe
        channel.forget(min(safe, channel.seen - self._overlap))

    def _begin(self, channel: Channel) -> int:
        """Where a window begins: not in the middle of a word, as half of it is another word."""
        # What still waits is looked at again, as what stands in its place is not settled.
        begin = max(channel.start, min(channel.safe, channel.seen - self._overlap))
        stop = min(channel.safe, begin + _LONGEST_WORD) - channel.start
        gap = channel.text.find(" ", begin - channel.start, stop) if begin else -1
        return begin if gap < 0 else channel.start + gap + 1

    def _confirm(self, channel: Channel, window: Inspection) -> None:
        """Refuse where all that has come is to be refused, too."""
        key = id(channel)
        if channel.end < self._confirmed.get(key, 0):
            return
        whole = channel.whole
        found = window
        if len(whole) > len(channel.text):
            found = self._guarding.look(Text(whole, "output"))
        self._guarding.refuse(found)
        # To look at all of it again and again would cost the square of its length.
        self._confirmed[key] = channel.end + len(whole) // 4


def _settle(channel: Channel, found: Inspection, begin: int, safe: int, *, final: bool) -> int:
    """Note what takes the place of what was found; up to where the channel may leave then."""
    end = channel.end
    for start, stop, kind in merged(found.redactions):
        first, last = max(begin + start, channel.safe), begin + stop
        if last <= first:
            continue  # it has left in an earlier window
        if first < safe and not final and last == end:
            safe = first  # it may go on
        elif first < safe < last:
            safe = last
        if last <= safe:
            channel.spans.append((first, last, f"[{kind}]"))
    return safe

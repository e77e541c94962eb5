"""What else a text can be read as: its encoded runs unpacked, where they stand.

A view is a stretch of a text in which what is encoded is plain, with some of the text on both
sides, since "how do I make a Ym9tYg" is on a topic only as a whole. What a view holds may be
encoded again: it has views of its own, to a bounded depth. All views of one level together are not
longer than the text.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from ai_gateway.guardrails.unpack import Unpacked, turned, unpack

#: Encodings within encodings that are followed.
DEPTH = 3
#: Characters on each side of what was encoded: about as many words as a topic's window has.
_AROUND = 200


class View:
    """A stretch of a text, as it reads once what is encoded in it is plain: ``text``."""

    __slots__ = ("_begins", "_ends", "_first", "_runs", "_within", "text")

    def __init__(
        self, source: str, runs: Sequence[Unpacked], first: int, last: int, within: View | None
    ) -> None:
        """Of ``source`` from ``first`` to before ``last``, which holds ``runs``.

        ``within`` is the view that the source is the text of, if it is one.
        """
        starts = [first, *(run.end for run in runs)]
        plain = [
            source[start:end]
            for start, end in zip(starts, [*(run.start for run in runs), last], strict=True)
        ]
        said = [run.text for run in runs]
        self.text = "".join(
            piece for pair in zip(plain, [*said, ""], strict=True) for piece in pair
        )
        self._first, self._runs, self._within = first, runs, within
        #: Where in ``text`` each run begins and ends.
        grown = accumulate((len(run.text) - (run.end - run.start) for run in runs), initial=-first)
        self._begins = [run.start + shift for run, shift in zip(runs, grown, strict=False)]
        self._ends = [begin + len(text) for begin, text in zip(self._begins, said, strict=True)]

    def place(self, start: int, end: int) -> tuple[int, int] | None:
        """Where ``start`` to ``end`` of this view stand in the text as sent, with whole runs.

        None where no run has a part in it: that stands plain in the text. No place (0, 0) is all
        that the runs take.
        """
        if not end:
            start, end = self._begins[0], self._ends[-1]
        if bisect_right(self._ends, start) == bisect_left(self._begins, end):
            return None
        return self.origin(start, end)

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """The same for any place, also one that stands plain."""
        first, last = self._before(start), self._after(end)
        return self._within.origin(first, last) if self._within else (first, last)

    def _before(self, at: int) -> int:
        """The character of the source that ``at`` is, or the start of its run."""
        run = bisect_right(self._begins, at) - 1
        if run < 0:
            return self._first + at
        past = at - self._ends[run]
        return self._runs[run].start if past < 0 else self._runs[run].end + past

    def _after(self, at: int) -> int:
        """The same for the end of a place."""
        run = bisect_left(self._begins, at) - 1
        if run < 0:
            return self._first + at
        return self._runs[run].end + max(at - self._ends[run], 0)


def views(text: str, known: frozenset[str] = frozenset()) -> Iterator[View]:
    """The views of ``text``; ``known`` are the words that betray rot13, from ``unpack.rot13``."""
    if hidden := turned(text, known):
        yield from _stretches(text, hidden, None)
    if runs := unpack(text):
        yield from _deeper(text, runs, None, known, DEPTH)


def _deeper(
    text: str, runs: Sequence[Unpacked], within: View | None, known: frozenset[str], depth: int
) -> Iterator[View]:
    """The views of the encoded ``runs`` of ``text``, and the views of these."""
    for view in _stretches(text, runs, within):
        yield view
        # What stands plain around the runs was looked at as a part of the text.
        hidden = [run for run in turned(view.text, known) if view.place(run.start, run.end)]
        yield from _stretches(view.text, hidden, view)
        if depth > 1:
            yield from _deeper(view.text, unpack(view.text), view, known, depth - 1)


def _stretches(text: str, runs: Sequence[Unpacked], within: View | None) -> Iterator[View]:
    """Runs that stand near one another, as one view each."""
    near: list[Unpacked] = []
    for run in runs:
        if near and run.start - near[-1].end > 2 * _AROUND:
            yield _stretch(text, near, within)
            near = []
        near.append(run)
    if near:
        yield _stretch(text, near, within)


def _stretch(text: str, runs: Sequence[Unpacked], within: View | None) -> View:
    first, last = runs[0].start, runs[-1].end
    begin = max(first - _AROUND, 0)
    stop = min(last + _AROUND, len(text))
    # Half a word is another word.
    if begin:
        begin = text.find(" ", begin, first) + 1 or begin
    if stop < len(text):
        stop = max(text.rfind(" ", last, stop), 0) or stop
    return View(text, runs, begin, stop, within)

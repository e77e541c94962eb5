"""Where chains of the audit log begin whose oldest rows were pruned.

Before rows go, the pruner notes the last one of each chain of which something stays: its number
and its hash, an anchor. They are rows of the log themselves, chained and told to the process's log
as all are. So what is left can be verified, and a beginning that is missing without an anchor is a
fault as before.

A process that notes nothing for long may find its whole chain gone. So its next row is one that
says when the one before it was written: that is as good as an anchor where the log says that all
of that time was pruned, and nowhere else.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from ai_gateway.contract import Event
from ai_gateway.records import Records

if TYPE_CHECKING:
    from ai_gateway.control.audit import Audit

log = logging.getLogger(__name__)

#: Actions of rows that tell of the log itself.
ANCHOR: Final = "audit.anchor"
PRUNE: Final = "audit.prune"
RESUME: Final = "audit.resume"
#: Microseconds without a row after which a writer says how old the one before is. No row is pruned
#: within a day; the rest is for clocks that differ and rows that no reader sees yet.
IDLE: Final = 12 * 3_600 * 10**6

_COLUMNS: Final = ("writer", "number", "at", "hash", "action", "object", "after")


@dataclass(frozen=True, slots=True)
class Anchors:
    """What the rows of a log say of its beginnings."""

    #: Of each writer: numbers and hashes of rows that may be the last ones of what was pruned.
    ends: Mapping[str, set[tuple[int, str]]]
    #: All before it was pruned; microseconds since the epoch, 0 where nothing was.
    until: int

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> Anchors:
        """Those among ``rows``."""
        ends: defaultdict[str, set[tuple[int, str]]] = defaultdict(set)
        for row in rows:
            if row["action"] == ANCHOR:
                ends[row["object"]].add(_end(row))
        pruned = (_Said.of(row).until for row in rows if row["action"] == PRUNE)
        return cls(ends, max(pruned, default=0))

    def begin(self, chain: Sequence[Mapping[str, Any]]) -> bool:
        """Whether ``chain``, in its order, may begin with its first row."""
        first = chain[0]
        held = {(row["number"], row["hash"]) for row in chain}
        held.add((first["number"] - 1, first["previous"]))
        if held & self.ends.get(first["writer"], set()):
            return True
        return first["action"] == RESUME and _Said.of(first).before < self.until


@dataclass(slots=True)
class Anchoring:
    """Anchors what is left of the chains before the oldest dates go."""

    records: Records
    audit: Audit
    event: Event
    _last: dict[str, tuple[int, str]] = field(default_factory=dict)
    _first: dict[str, int] = field(default_factory=dict)
    _known: dict[str, int] = field(default_factory=dict)

    def may(self, dates: Sequence[str]) -> Sequence[str]:
        """The oldest ``dates`` if they may go, with anchors that are stored by then; else none.

        Raises StoreUnavailable.
        """
        if not dates:
            return ()
        midnight = datetime.fromisoformat(dates[-1]).replace(tzinfo=timezone.utc)
        until = round((midnight + timedelta(days=1)).timestamp() * 1e6)
        count = self._read(until)
        if not count:  # files that hold nothing, or nothing that can be read
            return dates
        if any(self._first.get(writer, end[0] + 1) <= end[0] for writer, end in self._last.items()):
            log.warning("audit is not pruned: a clock that was set back put younger rows before")
            return ()
        for writer, (number, hash_) in sorted(self._last.items()):
            if writer in self._first and self._known.get(writer, -1) < number:
                self.audit.note(self.event, ANCHOR, writer, None, {"number": number, "hash": hash_})
        self.audit.note(self.event, PRUNE, "audit", {"rows": count}, {"until": until})
        self.records.flush()
        return dates

    def _read(self, until: int) -> int:
        """Look at every row; how many go."""
        count, anchors = 0, []
        for row in self.records.rows("audit", _COLUMNS):
            writer, number = row["writer"], row["number"]
            if row["at"] < until:
                count += 1
                self._last[writer] = max(self._last.get(writer, (-1, "")), (number, row["hash"]))
            else:
                self._first[writer] = min(self._first.get(writer, number), number)
            if row["action"] == ANCHOR:
                anchors.append(row)
        for row in anchors:
            self._keep(row, goes=row["at"] < until)
        return count

    def _keep(self, row: Mapping[str, Any], *, goes: bool) -> None:
        """An anchor that goes is noted again, for as long as there is something of its chain."""
        writer, end = row["object"], _end(row)
        if goes:
            self._last[writer] = max(self._last.get(writer, (-1, "")), end)
        else:
            self._known[writer] = max(self._known.get(writer, -1), end[0])


def said_until(until: int) -> date:
    """The first date that was not pruned."""
    return datetime.fromtimestamp(until / 1e6, timezone.utc).date()


def _end(row: Mapping[str, Any]) -> tuple[int, str]:
    said = _Said.of(row)
    return said.number, said.hash


@dataclass(frozen=True, slots=True)
class _Said:
    """What a row about the log says; what it does not say is what no row can have."""

    number: int = -1
    hash: str = ""
    until: int = 0
    before: int = 2**62

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> _Said:
        try:
            return cls(**json.loads(row["after"]))
        except (TypeError, ValueError):
            return cls()

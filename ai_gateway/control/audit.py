"""Who changed what: rows that are chained by hashes, and the command that checks the chains.

Each process is a writer with a chain of its own: a row holds the hash of the one before it, so
that no row can be changed, taken out or put elsewhere without every later one telling. What is cut
off a chain's end leaves no trace in it; the log has each row's hash for that. Rows that were pruned
leave an anchor: see ``anchors``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import itemgetter
from threading import Lock
from typing import Any, Final, NamedTuple

from ai_gateway.clock import Clock, SystemClock
from ai_gateway.contract import Caller, Event
from ai_gateway.control.anchors import IDLE, RESUME, Anchors, said_until
from ai_gateway.control.masking import masked
from ai_gateway.records import Records
from ai_gateway.records.command import opened
from ai_gateway.settings import Settings

log = logging.getLogger(__name__)

#: Characters of before and after that a row keeps; the digests are of all of it.
LONGEST: Final = 100_000
DONE: Final = "done"
#: Every column that a row's hash is of: those of version 1, in any order.
COLUMNS: Final = (
    "schema_version",
    "audit_id",
    "at",
    "writer",
    "number",
    "who",
    "scheme",
    "tenant",
    "action",
    "object",
    "before",
    "after",
    "before_digest",
    "after_digest",
    "outcome",
    "request_id",
    "previous",
)
_GATEWAY: Final = Caller(id="gateway", scheme="process", tenant="")


@dataclass(slots=True)
class Audit:
    """One process's writer. Any thread may note."""

    records: Records
    clock: Clock
    writer: str = field(default_factory=lambda: secrets.token_hex(8))
    #: Is told of each row, and of the value after the change; it must not raise.
    listener: Callable[[Mapping[str, Any], object], object] | None = None
    _lock: Lock = field(default_factory=Lock)
    _number: int = 0
    _previous: str = ""
    #: When the last row was written.
    _at: int = 0

    def note(  # noqa: PLR0917 - what an entry says, in the order in which it is said
        self,
        event: Event | None,
        action: str,
        object: str,  # noqa: A002 - the column's name
        before: object = None,
        after: object = None,
        outcome: str = DONE,
    ) -> None:
        """Keep one row. ``before`` and ``after`` are JSON values, or None for nothing.

        What stands below a key for credentials is masked. ``event`` is None where nobody asked;
        ``outcome`` is ``done`` or an error's code.
        """
        row = _row(event, action, object, before, after, outcome)
        at = round(self.clock.now() * 1e6)
        with self._lock:
            if self._number and at - self._at > IDLE:
                self._keep(_row(None, RESUME, self.writer, None, {"before": self._at}, DONE), at)
            self._keep(row, at)
        if self.listener is not None:
            self.listener(row, after)

    def _keep(self, row: dict[str, Any], at: int) -> None:
        row |= {
            "audit_id": f"{self.writer}/{self._number}",
            "at": at,
            "writer": self.writer,
            "number": self._number,
            "previous": self._previous,
        }
        row["hash"] = self._previous = row_hash(row)
        self._number, self._at = self._number + 1, at
        self.records.append("audit", row)
        log.info(
            "audit %s: %s %s by %s: %s (%s)",
            *(row[name] for name in ("audit_id", "action", "object", "who", "outcome", "hash")),
        )


def _row(  # noqa: PLR0917 - as Audit.note
    event: Event | None,
    action: str,
    object: str,  # noqa: A002 - the column's name
    before: object,
    after: object,
    outcome: str,
) -> dict[str, Any]:
    """A row without its place in the chain."""
    caller = event.caller if event else _GATEWAY
    texts = {"before": _canonical(before), "after": _canonical(after)}
    return {
        "schema_version": 1,
        "who": _sound(caller.id),
        "scheme": caller.scheme,
        "tenant": _sound(caller.tenant),
        "action": action,
        "object": _sound(object)[:1000],
        **{name: text and text[:LONGEST] for name, text in texts.items()},
        **{f"{name}_digest": text and _digest(text) for name, text in texts.items()},
        "outcome": outcome,
        "request_id": event.request_id if event else "",
    }


def row_hash(row: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of a row's columns but ``hash`` as canonical JSON."""
    return _digest(json.dumps({name: row[name] for name in COLUMNS}, **_CANONICAL))


_CANONICAL: Final[dict[str, Any]] = {
    "sort_keys": True,
    "separators": (",", ":"),
    "ensure_ascii": False,
}


def _canonical(value: object) -> str | None:
    return None if value is None else _sound(json.dumps(masked(value), **_CANONICAL))


def _sound(text: str) -> str:
    """Without lone surrogates, which no store keeps as they are."""
    return text.encode("utf-8", "replace").decode()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a chain breaks."""

    audit_id: str
    what: str

    def __str__(self) -> str:
        return f"{self.audit_id}: {self.what}"


class Verified(NamedTuple):
    """How many chains there are, where they break, and how many begin behind what was pruned."""

    chains: int
    faults: list[Fault]
    anchored: int = 0
    #: Before it nothing is left to verify; microseconds, 0 where nothing was pruned.
    until: int = 0


def verify(rows: Iterable[Mapping[str, Any]]) -> Verified:
    """Look at every chain; one whose beginning is missing is right where the log says why."""
    ordered = sorted(rows, key=itemgetter("writer", "number", "at"))
    anchors = Anchors.of(ordered)
    chains = [list(chain) for _, chain in groupby(ordered, itemgetter("writer"))]
    anchored = [chain[0]["number"] > 0 and anchors.begin(chain) for chain in chains]
    faults = [
        fault
        for chain, later in zip(chains, anchored, strict=True)
        for fault in _faults(chain, later=later)
    ]
    return Verified(len(chains), faults, sum(anchored), anchors.until)


def _faults(chain: Sequence[Mapping[str, Any]], *, later: bool) -> Iterator[Fault]:
    expected, previous, at = 0, "", 0
    if later:
        expected, previous = chain[0]["number"], chain[0]["previous"]
    for row in chain:
        where, number = row["audit_id"], row["number"]
        if number < expected:
            yield Fault(where, "another row of this writer has its number")
        elif number > expected:
            yield Fault(where, f"rows {expected} to {number - 1} of this writer are missing")
        elif row["previous"] != previous:
            yield Fault(where, "it does not follow from the row before it")
        if row_hash(row) != row["hash"] or where != f"{row['writer']}/{number}":
            yield Fault(where, "it was changed after it was written")
        if row["at"] < at:
            log.warning("%s is older than the row before it: the clock was set back", where)
        expected, previous, at = number + 1, row["hash"], row["at"]


def main(arguments: Sequence[str] | None = None, settings: Settings | None = None) -> int:
    """The command: 0 where every chain holds, 1 where one does not."""
    parser = argparse.ArgumentParser(
        "python -m ai_gateway.control.audit", description="Check the audit log."
    )
    parser.add_argument("command", choices=["verify"])
    parser.add_argument("--data", help="where the records are; GATEWAY_DATA if left out")
    options = parser.parse_args(arguments)
    settings = settings or Settings.read()
    settings = replace(settings, data=options.data or settings.data)
    records = opened(settings, SystemClock())
    rows = list(records.rows("audit", [*COLUMNS, "hash"]))
    found = verify(rows)
    for fault in found.faults:
        sys.stdout.write(f"{fault}\n")
    if found.until:
        sys.stdout.write(
            f"verified from {said_until(found.until)} on: what is older was pruned;"
            f" {found.anchored} chains begin behind it\n"
        )
    sys.stdout.write(f"{len(rows)} rows in {found.chains} chains, {len(found.faults)} faults\n")
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())

"""Erases a subject's rows from every table, with proof.

Rows of one file are never changed in place (see ``rewriting``). The order makes a killed run one
that the next takes up: what was asked is written first, and from then on movers keep late rows
out; then what hangs on the subject's requests is found and noted; then files are rewritten and
noted; then, after a pause for readers and movers that were under way, the old files go. That is
repeated until a round finds nothing, and the report is written last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ai_gateway.records import rewriting, tables
from ai_gateway.records.encoding import Decoded
from ai_gateway.records.lease import Lease
from ai_gateway.records.ledger import Asked, Ledger, Progress
from ai_gateway.records.objects import Entry
from ai_gateway.records.reading import Reader
from ai_gateway.records.rewriting import Found
from ai_gateway.records.schema import Table
from ai_gateway.records.segments import unframe
from ai_gateway.records.setaside import SetAside
from ai_gateway.records.subject import HELD, RULES, Subject

if TYPE_CHECKING:
    from ai_gateway.clock import Clock

#: What is read of a score to find the call that made it.
_JUDGED: Final = "judge_request_id"


@dataclass(frozen=True, slots=True)
class Erasing:
    """Carries erasures out in one store, while ``lease`` is held; ``grace`` is in seconds."""

    reader: Reader
    ledger: Ledger
    aside: SetAside
    clock: Clock
    lease: Lease
    grace: float

    def run(self, asked: Asked) -> Outcome:
        """Erase all that there is of it; ``done`` is False where the lease was lost on the way.

        Raises StoreUnavailable. Whatever ends it, the next run takes it up.
        """
        outcome = Outcome(asked, self.ledger.progress(asked))
        waited = outcome.progress.reported is not None
        while self.lease.renew():
            spent = self.reader.steady(lambda: self._round(outcome))
            if waited and not spent:
                self._report(outcome)
                break
            self.clock.sleep(self.grace)  # a mover that did not know of it yet is through then
            waited = True
            if self.lease.renew():
                rewriting.delete(self.reader, spent)
        return outcome

    def _round(self, outcome: Outcome) -> list[str]:
        """Rewrite what holds rows of it; the paths of the old files."""
        asked, progress = outcome.asked, outcome.progress
        subject = survey(self.reader, asked.subject, progress)
        self.ledger.save(asked, progress)
        outcome.unreadable, spent = [], []
        for name, entry, found in holding(self.reader, subject, outcome.unreadable):
            if not self.lease.renew():
                break
            try:
                change = rewriting.rewrite(self.reader, name, entry, found)
            except pa.ArrowInvalid:
                outcome.unreadable.append(entry.path)
                continue
            progress.changes[entry.path] = asdict(change)
            spent.append(entry.path)
        progress.lines += self.aside.drop(lambda line: takes(subject, line))
        self.ledger.save(asked, progress)
        return spent

    def _report(self, outcome: Outcome) -> None:
        """Tell what was done, unless a report has told it."""
        asked, progress = outcome.asked, outcome.progress
        outcome.done = True
        if progress.reported != progress.done:
            now = self.clock.now()
            outcome.report = self.ledger.report(asked, now, _body(outcome, now))
            progress.reported = progress.done
            self.ledger.save(asked, progress)


@dataclass(slots=True)
class Outcome:
    """What became of one erasure; ``report`` is None where nothing is new since the last one."""

    asked: Asked
    progress: Progress
    done: bool = False
    report: dict[str, Any] | None = None
    #: Files that cannot be read, so that nobody knows what they hold.
    unreadable: list[str] = field(default_factory=list)


def _body(outcome: Outcome, now: float) -> dict[str, Any]:
    """A report without the names of anybody. Times are seconds since the epoch."""
    asked, progress = outcome.asked, outcome.progress
    changes = [progress.changes[path] for path in sorted(progress.changes)]
    rows: Counter[str] = Counter(dict.fromkeys(RULES, 0))
    for change in changes:
        rows[change["table"]] += change["dropped"]
    return {
        "schema_version": 1,
        "erasure_id": asked.erasure_id,
        "asked_at": asked.asked_at,
        "done_at": now,
        "by": asked.by,
        "complete": not outcome.unreadable,
        "salt": asked.salt,
        "subject": {
            kind: sorted(asked.hashed(kind, each) for each in ids)
            for kind, ids in asked.subject.named().items()
        },
        "erased": sorted(asked.hashed("requests", each) for each in progress.requests),
        "rows": dict(rows),
        "lines": progress.lines,
        "files": changes,
        "unreadable": sorted(outcome.unreadable),
    }


def survey(reader: Reader, subject: Subject, progress: Progress) -> Subject:
    """``subject`` with all that hangs on it, which is noted in ``progress``.

    That is its requests, whose scores, shadows and feedback follow, and the judge's own calls for
    them.
    """
    known = subject.linked_to(progress.requests)
    for read in _rows(reader, known, "requests"):
        progress.requests.update(filter(None, read["request_id"].to_pylist()))
        progress.tenants.update(filter(None, read["tenant"].to_pylist()))
    known = subject.linked_to(progress.requests)
    for read in _rows(reader, known, "scores", [_JUDGED]):
        progress.requests.update(filter(None, read[_JUDGED].to_pylist()))
    return subject.linked_to(progress.requests)


def _rows(
    reader: Reader, subject: Subject, name: Table, more: Sequence[str] = ()
) -> list[pa.Table]:
    """What tells whose they are, of all the subject's rows of a table."""
    return reader.steady(
        lambda: [found.rows for _, _, found in holding(reader, subject, [], (name,), more)]
    )


def holding(
    reader: Reader,
    subject: Subject,
    unreadable: list[str],
    names: Sequence[Table] = tuple(RULES),
    more: Sequence[str] = (),
) -> Iterator[tuple[Table, Entry, Found]]:
    """The files that hold rows of ``subject``, by table and date, and which rows those are.

    What cannot be read is put into ``unreadable``; FileNotFoundError where a file goes meanwhile.
    """
    for name in names:
        columns = list(dict.fromkeys((*RULES[name].columns, *more)))
        for entry in reader.files(name):
            try:
                found = rewriting.places(reader, name, entry, columns, Whose(subject, name))
            except pa.ArrowInvalid:
                unreadable.append(entry.path)
                continue
            if found.count:
                yield name, entry, found


@dataclass(frozen=True, slots=True)
class Whose:
    """Which rows of a table are a subject's."""

    subject: Subject
    name: Table

    def __call__(self, read: pa.Table) -> pa.ChunkedArray:
        """One truth value a row."""
        rule, subject = HELD[self.name], self.subject
        owned = self._any(read, rule.owned)
        if subject.until is not None:
            late = pc.greater(
                pc.coalesce(*(read[time] for time in rule.times)), tables.moment(subject.until)
            )
            owned = pc.and_not(owned, late.fill_null(fill_value=False))
        return pc.or_(owned, self._any(read, rule.linked))

    def _any(self, read: pa.Table, columns: Mapping[str, str]) -> pa.ChunkedArray:
        found = pa.chunked_array([pa.repeat(pa.scalar(value=False), read.num_rows)])
        for column, kind in columns.items():
            ids = tables.texts(sorted(self.subject.ids(kind)))
            found = pc.or_(found, pc.is_in(read[column], value_set=ids))
        return found


def forget(decoded: Decoded, subjects: Sequence[Subject]) -> int:
    """Take the rows and lines of ``subjects`` out of a segment; how many rows those were."""
    before = decoded.rows
    for subject in subjects:
        for name in RULES.keys() & decoded.tables.keys():
            table = decoded.tables[name]
            decoded.tables[name] = table.filter(pc.invert(Whose(subject, name)(table)))
        for lines in (decoded.bad, decoded.unknown):
            lines[:] = [line for line in lines if not takes(subject, line)]
    decoded.tables = {name: table for name, table in decoded.tables.items() if table.num_rows}
    decoded.rows = sum(table.num_rows for table in decoded.tables.values())
    return before - decoded.rows


def count(reader: Reader, subject: Subject) -> dict[str, int]:
    """How many stored rows an erasure would take, by table; nothing is changed."""
    whole = survey(reader, subject, Progress())

    def attempt() -> Counter[str]:
        rows: Counter[str] = Counter(dict.fromkeys(RULES, 0))
        for name, _, found in holding(reader, whole, []):
            rows[name] += found.count
        return rows

    return dict(reader.steady(attempt))


def takes(subject: Subject, line: bytes) -> bool:
    """Whether a line that no table took is the subject's; nobody knows of a damaged one."""
    name, body = unframe(line) or ("", b"")
    try:
        row = orjson.loads(body)
    except ValueError:
        return False
    return isinstance(row, dict) and subject.takes(name, row)

"""What was asked to be erased, how far that has come, and the reports of what was done.

Objects below ``erasures/``, each small and written whole:

- ``pending/ID.json``: what was asked, in plain ids. From its writing on no row of it comes into a
  table any more, until a later pruning finds it settled and forgets it.
- ``progress/ID.json``: what was found and changed so far, so that a killed run is taken up again.
- ``reports/TIME-ID.json``: the proof. It stays, holds ids as salted hashes only, and the SHA-256
  of the report before it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import orjson

from ai_gateway.records.keyring import read, write
from ai_gateway.records.objects import Entry, Objects
from ai_gateway.records.subject import KINDS, Subject

log = logging.getLogger(__name__)

_PENDING: Final = "erasures/pending"
_PROGRESS: Final = "erasures/progress"
_REPORTS: Final = "erasures/reports"


@dataclass(frozen=True, slots=True)
class Asked:
    """An erasure: of whom, when it was asked (seconds since the epoch), and by which caller."""

    erasure_id: str
    subject: Subject
    asked_at: float
    by: str
    #: Of this erasure's hashes, hex.
    salt: str

    def hashed(self, kind: str, value: str) -> str:
        """An id as it stands in reports: SHA-256, in hex, of salt, kind and id."""
        return hashed(self.salt, kind, value)


def hashed(salt: str, kind: str, value: str) -> str:
    """See ``Asked.hashed``."""
    return hashlib.sha256(f"{salt}:{kind}:{value}".encode("utf-8", "replace")).hexdigest()


@dataclass(slots=True)
class Progress:
    """What an erasure has found and done; it only grows."""

    #: Ids of the requests that were found, their judgements' own among them.
    requests: set[str] = field(default_factory=set)
    #: Whose cached answers are to be forgotten.
    tenants: set[str] = field(default_factory=set)
    #: By the path of the file that lost rows.
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Lines of the write-ahead folder's ``.bad`` files.
    lines: int = 0
    #: What ``done`` was when a report told it.
    reported: int | None = None

    @property
    def done(self) -> int:
        """How much was changed."""
        return len(self.changes) + self.lines


class Ledger:
    """Reads and writes the objects of erasures in one store."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._known: dict[str, Asked | None] = {}

    def ask(self, asked: Asked) -> None:
        """From here on late rows are kept out, and prunings carry it on."""
        body = {
            "erasure_id": asked.erasure_id,
            "asked_at": asked.asked_at,
            "by": asked.by,
            "salt": asked.salt,
            **asked.subject.named(),
        }
        self._put(f"{_PENDING}/{asked.erasure_id}.json", body)

    def pending(self) -> list[Asked]:
        """What was asked and is not forgotten, oldest first; one LIST request where all is known.

        Raises StoreUnavailable. What cannot be read is left out, and logged.
        """
        entries = self._objects.entries(_PENDING)
        known = self._known
        self._known = {
            entry.path: known[entry.path] if entry.path in known else self._asked(entry)
            for entry in entries
        }
        return [asked for asked in self._known.values() if asked is not None]

    def _asked(self, entry: Entry) -> Asked | None:
        try:
            found = orjson.loads(read(self._objects, entry))
            subject = Subject(
                **{kind: frozenset(found[kind]) for kind in KINDS}, until=float(found["asked_at"])
            )
            return Asked(
                str(found["erasure_id"]),
                subject,
                float(found["asked_at"]),
                str(found["by"]),
                str(found["salt"]),
            )
        except FileNotFoundError:  # forgotten since the listing
            return None
        except (ValueError, KeyError, TypeError):
            log.exception("%s is no erasure and is left out", entry.path)
            return None

    def progress(self, asked: Asked) -> Progress:
        """How far it has come."""
        found = self._get(_PROGRESS, f"{asked.erasure_id}.json")
        if found is None:
            return Progress()
        found |= {name: set(found[name]) for name in ("requests", "tenants")}
        return Progress(**found)

    def save(self, asked: Asked, progress: Progress) -> None:
        """Keep how far it has come."""
        body = {
            **asdict(progress),
            "requests": sorted(progress.requests),
            "tenants": sorted(progress.tenants),
        }
        self._put(f"{_PROGRESS}/{asked.erasure_id}.json", body)

    def forget(self, asked: Asked) -> None:
        """No row of it can come any more: only its reports stay."""
        for folder in (_PENDING, _PROGRESS):
            self._objects.delete(f"{folder}/{asked.erasure_id}.json")

    def report(self, asked: Asked, at: float, body: Mapping[str, Any]) -> dict[str, Any]:
        """Add a report made at ``at``; as it stands there, and its own ``digest`` (SHA-256).

        One that says the same is not added twice: a run may be killed once it has reported.
        """
        entries = self._objects.entries(_REPORTS)
        if told := self._same(entries, asked, body):
            return told
        before = hashlib.sha256(read(self._objects, entries[-1])) if entries else None
        moment = max(int(at * 1e6), _moment(entries[-1]) + 1 if entries else 0)
        report_id = f"{moment:016d}-{asked.erasure_id}"
        whole = {
            "report_id": report_id,
            **body,
            "previous": before.hexdigest() if before else None,
        }
        data = self._put(f"{_REPORTS}/{report_id}.json", whole)
        return {**whole, "digest": hashlib.sha256(data).hexdigest()}

    def _same(
        self, entries: Sequence[Entry], asked: Asked, body: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        own = [entry for entry in entries if entry.path.endswith(f"-{asked.erasure_id}.json")]
        if not own:
            return None
        data = read(self._objects, own[-1])
        told: dict[str, Any] = orjson.loads(data)
        same = all(told.get(name) == value for name, value in body.items() if name != "done_at")
        return {**told, "digest": hashlib.sha256(data).hexdigest()} if same else None

    def reports(self) -> Iterator[tuple[dict[str, Any], bool]]:
        """Every report, oldest first, and whether it fits the one before it."""
        before: str | None = None
        for entry in self._objects.entries(_REPORTS):
            data = read(self._objects, entry)
            try:
                found = orjson.loads(data)
                fits = found.get("previous") == before
            except (ValueError, AttributeError):
                found, fits = {"report_id": entry.path}, False
            before = hashlib.sha256(data).hexdigest()
            yield found, fits

    def telling(self, kind: str, value: str) -> list[dict[str, Any]]:
        """The reports that say that ``value`` was erased, oldest first; ``kind`` is of KINDS."""
        return [report for report, _ in self.reports() if _tells(report, kind, value)]

    def _get(self, folder: str, name: str) -> dict[str, Any] | None:
        path = f"{folder}/{name}"
        entry = next((each for each in self._objects.entries(folder) if each.path == path), None)
        if entry is None:
            return None
        found: dict[str, Any] = orjson.loads(read(self._objects, entry))
        return found

    def _put(self, path: str, body: Mapping[str, Any]) -> bytes:
        data = orjson.dumps(body, option=orjson.OPT_INDENT_2) + b"\n"
        write(self._objects, path, data)
        return data


def _moment(entry: Entry) -> int:
    """Of a report's name: reports sort as they were made, however the clock was set."""
    digits = entry.path.rpartition("/")[2].partition("-")[0]
    return int(digits) if digits.isdecimal() else 0


def _tells(report: Mapping[str, Any], kind: str, value: str) -> bool:
    told = [*report.get("subject", {}).get(kind, ())]
    if kind == "requests":
        told += report.get("erased", ())
    return hashed(str(report.get("salt")), kind, value) in told

"""Erases what is held on somebody, and tells later whether that was done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field, model_validator

from ai_gateway.cache.caches import Caches
from ai_gateway.clock import Clock
from ai_gateway.ids import new_id
from ai_gateway.manifest.closed import Closed
from ai_gateway.manifest.units import Said
from ai_gateway.records import Records
from ai_gateway.records.ledger import Asked
from ai_gateway.records.subject import Subject

if TYPE_CHECKING:
    from ai_gateway.contract import Event
    from ai_gateway.control.audit import Audit

#: Ids of requests in one body.
MOST: Final = 10_000
#: What a body calls what a Subject is told by.
NAMES: Final[Mapping[str, str]] = {
    "tenant": "tenants",
    "key": "keys",
    "request": "requests",
    "rater": "raters",
}


class Wanted(Closed):
    """Whose rows are meant: all of a tenant, a key or a rater, or of single requests."""

    tenant: Said | None = None
    key: Said | None = None
    request: Annotated[tuple[Said, ...], Field(max_length=MOST)] = ()
    rater: Said | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Wanted:
        if not any(getattr(self, name) for name in NAMES):
            raise ValueError(f"at least one of {', '.join(NAMES)}")
        return self

    def subject(self, until: float | None = None) -> Subject:
        """As the records tell it; up to ``until``, in seconds since the epoch."""
        given = {kind: getattr(self, name) for name, kind in NAMES.items()}
        ids = {
            kind: frozenset([value] if isinstance(value, str) else value or ())
            for kind, value in given.items()
        }
        return Subject(**ids, until=until)


class Erasure(Wanted):
    """An erasure; with ``dry_run`` rows are counted, and nothing is changed."""

    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Eraser:
    """Erases in one store, and in what caches there are."""

    records: Records
    caches: Caches | None
    audit: Audit
    clock: Clock
    random: Random

    def run(self, wanted: Erasure, event: Event | None, grace: float = 5.0) -> dict[str, Any]:
        """What was done: ``state`` is ``counted``, ``pending`` or ``done``.

        ``event`` is None where a command asks.
        ``pending`` is what another pruning, compaction or erasure stands in the way of: late rows
        are kept out already, and the next pruning does the rest. Raises StoreUnavailable.
        """
        now = self.clock.now()
        subject = wanted.subject(now)
        if wanted.dry_run:
            self.records.flush()
            return {"state": "counted", "rows": self.records.count(subject)}
        asked = Asked(
            erasure_id=new_id(self.clock, self.random),
            subject=subject,
            asked_at=now,
            by=event.caller.id if event else "command",
            salt=f"{self.random.getrandbits(128):032x}",
        )
        outcome = self.records.erase(asked, grace)
        tenants = subject.tenants | (outcome.progress.tenants if outcome else frozenset())
        cached = self.caches is None or self.caches.forget(sorted(tenants))
        done = outcome is not None and outcome.report is not None
        told: dict[str, Any] = {
            "erasure_id": asked.erasure_id,
            "state": "done" if done else "pending",
            "caches_forgotten": cached,
        }
        if outcome and outcome.report:
            told |= shown(outcome.report)
        self.audit.note(event, "erasure.run", asked.erasure_id, after=_kept(told))
        return told


def shown(report: Mapping[str, Any]) -> dict[str, Any]:
    """A report as it is told: with the number of erased requests instead of their hashes."""
    return {**report, "erased": len(report["erased"])}


def _kept(told: Mapping[str, Any]) -> dict[str, Any]:
    """What the audit log has of it: the files stand in the report."""
    return {name: value for name, value in told.items() if name not in ("files", "salt", "subject")}


def erased(records: Records, wanted: Wanted) -> dict[str, Any]:
    """Whether each id was erased, and by which reports; ``chain`` is whether all of them hold.

    A report's salted hashes tell nothing to who does not know the id.
    """
    found = [
        {
            "kind": name,
            "id": value,
            "reports": list(map(_told, records.ledger.telling(kind, value))),
        }
        for name, kind in NAMES.items()
        for value in wanted.subject().named()[kind]
    ]
    return {
        "erased": all(each["reports"] for each in found),
        "found": found,
        "chain": all(fits for _, fits in records.ledger.reports()),
    }


def _told(report: Mapping[str, Any]) -> dict[str, Any]:
    names = ("report_id", "erasure_id", "asked_at", "done_at", "complete", "rows")
    return {name: report[name] for name in names}

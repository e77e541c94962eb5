"""Records in a folder and in a bucket, of tenants and keys; a store that dies at a given step."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ai_gateway.records import Records
from ai_gateway.records.lease import Lease
from ai_gateway.records.ledger import Asked
from ai_gateway.records.objects import Folder
from ai_gateway.records.subject import Subject
from tests.records.conftest import (  # noqa: F401 - fixtures
    NOON,
    address,
    bucket,
    clock,
    open_records,
    records,
    request_row,
    s3_endpoint,
    score_row,
)


def feedback_row(number: int, at: float = NOON, **columns: Any) -> dict[str, Any]:
    """What somebody said of a request."""
    row = {"schema_version": 1, "feedback_id": f"f{number}", "created_at": round(at * 1e6)}
    return {**row, "request_id": f"r{number}", "tenant": "other", "rater": "ann", **columns}


def append(store: Records, number: int, tenant: str, key: str = "k", at: float = NOON) -> None:
    """A request with its shadow, its score, the judge's call for it, and feedback from another."""
    whose = {"tenant": tenant, "key_id": key}
    store.append("requests", request_row(number, at, **whose))
    shadow = {"request_id": f"s{number}", "shadow_of": f"r{number}", "surface": "shadow"}
    store.append("requests", request_row(number, at, **whose) | shadow)
    call = {"request_id": f"j{number}", "surface": "judge", "key_id": "judge-tick"}
    store.append("requests", request_row(number, at, tenant=tenant) | call)
    made_by = {"tenant": tenant, "judge_request_id": f"j{number}"}
    store.append("scores", score_row(f"r{number}", at + 1, **made_by))
    store.append("feedback", feedback_row(number, at))


def asked(until: float = NOON + 10, erasure_id: str = "e1", **ids: Any) -> Asked:
    """An erasure of ``tenants``, ``keys``, ``requests`` or ``raters``."""
    subject = Subject(**{kind: frozenset(values) for kind, values in ids.items()}, until=until)
    return Asked(erasure_id, subject, until, "admin", "5a17")


def stored(store: Records) -> dict[str, list[str]]:
    """The keys of all rows that readers see."""
    tables = {"requests": "request_id", "scores": "score_id", "feedback": "feedback_id"}
    return {name: sorted(store.scan(name, [key])[key].to_pylist()) for name, key in tables.items()}


class Killed(BaseException):
    """As if the process ended here."""


class Dying(Folder):
    """A folder whose process dies before, or just after, its so many-th write or delete."""

    def __init__(self, root: Path, step: int, *, after: bool) -> None:
        super().__init__(root)
        self.steps = itertools.count(1)
        self.last = step
        self.after = after

    @contextmanager
    def _dying(self):
        step = next(self.steps)
        if step > self.last or (step == self.last and not self.after):
            raise Killed
        yield
        if step == self.last:
            raise Killed

    def put(self, path: str, data: bytes | memoryview) -> None:
        with self._dying():
            super().put(path, data)

    def delete(self, path: str) -> None:
        with self._dying():
            super().delete(path)


class Held(Lease):
    """A lease that is lost after so many renewals."""

    def __init__(self, renewals: int = 10**9) -> None:
        self.renewals = renewals

    def renew(self) -> bool:
        self.renewals -= 1
        return self.renewals >= 0

    def release(self) -> None:
        """Nothing to let go of."""

"""What is stored before somebody is erased, and what must be left."""

from __future__ import annotations

from ai_gateway.records import Records
from tests.compliance.conftest import append, stored

LEFT = {
    "requests": ["j0", "j2", "r0", "r2", "s0", "s2"],
    "scores": ["r0/p.v1/1", "r2/p.v1/1"],
    "feedback": ["f0", "f2"],
}


def four(records: Records, *, together: bool = True) -> None:
    """Requests 1 and 3 of tenant ``acme`` and key ``k1``, 0 and 2 of others."""
    for number in range(4):
        append(records, number, "acme" if number % 2 else "other", f"k{number % 2}")
        if not together:
            records.flush()
    records.flush()


def check(records: Records, more: int = 0) -> None:
    """All is gone, and told once; ``more`` requests of the subject were there than two."""
    assert stored(records) == LEFT
    (told,) = (report for report, _ in records.ledger.reports())
    rows = {"requests": 6 + 3 * more, "scores": 2 + more, "feedback": 2 + more, "webhooks": 0}
    assert told["rows"] == rows

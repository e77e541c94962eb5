"""Whose rows: what an erasure or an export is about, and how each table tells.

No file is touched here and Arrow is not needed, so that whoever only asks need not load it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ai_gateway.records.schema import Table

#: What a subject is told by.
KINDS: Final = ("tenants", "keys", "requests", "raters")


@dataclass(frozen=True, slots=True)
class Rule:
    """Which columns of a table are compared with which of ``KINDS``."""

    #: Count up to the subject's time.
    owned: Mapping[str, str]
    #: Count at any time: a score or a shadow may come long after its request.
    linked: Mapping[str, str]
    #: The first of these that a row has says when it came to be.
    times: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All that must be read of a row to tell whose it is."""
        return tuple(dict.fromkeys((*self.owned, *self.linked, *self.times)))


#: Weights are of nobody.
RULES: Final[Mapping[Table, Rule]] = {
    "requests": Rule(
        {"tenant": "tenants", "key_id": "keys"},
        {"request_id": "requests", "shadow_of": "requests"},
        ("received_at",),
    ),
    "scores": Rule(
        {"tenant": "tenants"}, {"request_id": "requests"}, ("requested_at", "judged_at")
    ),
    "feedback": Rule(
        {"tenant": "tenants", "rater": "raters"}, {"request_id": "requests"}, ("created_at",)
    ),
    "webhooks": Rule({"tenant": "tenants"}, {"request_id": "requests"}, ("created_at",)),
}
#: What is held on somebody beside that, and not erased: the history of his keys, which would live
#: again without the row that revoked them, and what was changed by whom.
HELD: Final[Mapping[Table, Rule]] = {
    **RULES,
    "keys": Rule({"tenant": "tenants", "key_id": "keys"}, {}, ("at",)),
    "audit": Rule({"tenant": "tenants", "who": "keys"}, {"request_id": "requests"}, ("at",)),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """All rows of these tenants, keys, requests and raters.

    A caller who rates without a name is stored as a rater under his key's id.
    """

    tenants: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    requests: frozenset[str] = frozenset()
    raters: frozenset[str] = frozenset()
    #: Seconds since the epoch: what came later is not meant, unless it hangs on ``requests``.
    until: float | None = None

    def ids(self, kind: str) -> frozenset[str]:
        """What a column is compared with, by the name that a Rule gives it."""
        found: frozenset[str] = getattr(self, kind)
        return found | self.keys if kind == "raters" else found

    def linked_to(self, requests: Iterable[str]) -> Subject:
        """This one, and what hangs on ``requests``."""
        return replace(self, requests=self.requests | frozenset(requests))

    def named(self) -> dict[str, list[str]]:
        """The ids by kind, sorted."""
        return {kind: sorted(getattr(self, kind)) for kind in KINDS}

    def takes(self, name: str, row: Mapping[str, Any]) -> bool:
        """Whether a row that was appended (times are microseconds) is one of the subject's."""
        rule = next((rule for table, rule in RULES.items() if table == name), None)
        if rule is None:
            return False
        owned = any(_among(row.get(column), self.ids(kind)) for column, kind in rule.owned.items())
        linked = any(
            _among(row.get(column), self.ids(kind)) for column, kind in rule.linked.items()
        )
        return linked or (owned and self._in_time(row, rule))

    def _in_time(self, row: Mapping[str, Any], rule: Rule) -> bool:
        times = (row.get(column) for column in rule.times)
        at = next((time for time in times if isinstance(time, (int, float))), 0)
        return self.until is None or at <= self.until * 1e6


def _among(value: object, ids: frozenset[str]) -> bool:
    return isinstance(value, str) and value in ids

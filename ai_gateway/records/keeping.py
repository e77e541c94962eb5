"""How long rows are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Over:
    """Of a date: the tenants whose rows it has to lose, or all but the tenants that it keeps."""

    tenants: frozenset[str]
    #: True where ``tenants`` are those that it keeps.
    all_but: bool


@dataclass(frozen=True, slots=True)
class Keep:
    """Seconds that rows of a table are kept; None is for ever. A tenant's own rule goes first."""

    seconds: float | None = None
    tenants: Mapping[str, float] = field(default_factory=dict)

    def over(self, end: float, now: float) -> Over | None:
        """What a date that ended at ``end`` has to lose by ``now``; None where that is nothing.

        All of it is ``Over(frozenset(), all_but=True)``. Seconds since the epoch.
        """
        age = now - end
        gone = {name for name, seconds in self.tenants.items() if age >= seconds}
        if self.seconds is None or age < self.seconds:
            return Over(frozenset(gone), all_but=False) if gone else None
        return Over(frozenset(self.tenants.keys() - gone), all_but=True)

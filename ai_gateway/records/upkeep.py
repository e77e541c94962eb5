"""Pruning and erasing as whole runs: under the lease that keeps compaction out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ai_gateway.records.erasing import Erasing, Outcome
from ai_gateway.records.keeping import Keep
from ai_gateway.records.lease import Lease
from ai_gateway.records.ledger import Asked, Ledger
from ai_gateway.records.pruning import Pruned, Pruning
from ai_gateway.records.reading import Reader
from ai_gateway.records.setaside import SetAside

if TYPE_CHECKING:
    from ai_gateway.clock import Clock
    from ai_gateway.records.schema import Table

#: Seconds for which late rows of what was erased are kept out and looked for: a process that was
#: away longer than that, with rows in its write-ahead folder, brings them back.
SETTLED: Final = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Upkeep:
    """One store and one write-ahead folder, while ``lease`` is held; ``grace`` is in seconds."""

    reader: Reader
    ledger: Ledger
    aside: SetAside
    clock: Clock
    lease: Lease
    grace: float

    def erase(self, asked: Asked) -> Outcome:
        """See ``Erasing.run``."""
        erasing = Erasing(self.reader, self.ledger, self.aside, self.clock, self.lease, self.grace)
        return erasing.run(asked)

    def prune(self, rules: Mapping[Table, Keep]) -> Pruned:
        """Delete what ``rules`` do not keep, and carry on with erasures.

        One that was carried out is looked through again, for rows that came late, until it is
        settled. Raises StoreUnavailable.
        """
        pruning = Pruning(self.reader, self.clock, self.lease, self.grace)
        pruned = pruning.run(rules)
        for asked in self.ledger.pending():
            outcome = self.erase(asked)
            if not outcome.done:
                pruned.pending += 1
                continue
            pruned.erasures += 1
            if self.clock.now() - asked.asked_at > SETTLED:
                self.ledger.forget(asked)
        if shortest := _shortest(rules):
            pruned.set_aside = self.aside.prune(self.clock.now() - shortest)
        return pruned


def _shortest(rules: Mapping[Table, Keep]) -> float | None:
    """Of all rules, since a line that no table took may be anybody's."""
    kept = [each for keep in rules.values() for each in (keep.seconds, *keep.tenants.values())]
    return min((each for each in kept if each is not None), default=None)

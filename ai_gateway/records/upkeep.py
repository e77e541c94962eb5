"""A whole run of pruning: what is over goes, and erasures are carried on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ai_gateway.records.erasing import Erasing
from ai_gateway.records.keeping import Keep
from ai_gateway.records.pruning import Pruned, Pruning

if TYPE_CHECKING:
    from ai_gateway.records.pruning import May
    from ai_gateway.records.schema import Table

#: Seconds for which late rows of what was erased are kept out and looked for: a process that was
#: away longer than that, with rows in its write-ahead folder, brings them back.
SETTLED: Final = 30 * 86_400.0


def prune(erasing: Erasing, rules: Mapping[Table, Keep], may: May) -> Pruned:
    """Delete what ``rules`` do not keep, and carry on with erasures; ``may`` as ``Pruning.run``.

    One that was carried out is looked through again, for rows that came late, until it is
    settled. Raises StoreUnavailable.
    """
    clock, ledger = erasing.clock, erasing.ledger
    pruned = Pruning(erasing.reader, clock, erasing.lease, erasing.grace).run(rules, may)
    for asked in ledger.pending():
        outcome = erasing.run(asked)
        if not outcome.done:
            pruned.pending += 1
            continue
        pruned.erasures += 1
        if clock.now() - asked.asked_at > SETTLED:
            ledger.forget(asked)
    if shortest := _shortest(rules):
        pruned.set_aside = erasing.aside.prune(clock.now() - shortest)
    return pruned


def _shortest(rules: Mapping[Table, Keep]) -> float | None:
    """Of all rules, since a line that no table took may be anybody's."""
    kept = [each for keep in rules.values() for each in (keep.seconds, *keep.tenants.values())]
    return min((each for each in kept if each is not None), default=None)

"""What is promised is measured, and what is to be deleted has a job that does it, in time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ai_gateway.manifest.checks.asking import SILENT
from ai_gateway.manifest.checks.finding import Finding, Surroundings
from ai_gateway.manifest.model import Manifest
from ai_gateway.records.keeping import Keep

_PRUNE: Final = "functions.prune:"
#: Seconds for which a row of a month's first day is needed within that month.
_MONTH: Final = 30 * 86_400.0


def check(manifest: Manifest, _around: Surroundings) -> Iterator[Finding]:
    """Routes with an `slo`, and `retention`."""
    for index, route in enumerate(manifest.routes):
        if route.slo and route.function in SILENT:
            found = f"slo and {route.function}, whose answers are not recorded"
            wanted = "it on a route that asks a model, or a target"
            yield Finding(("routes", index, "slo"), found, wanted)
    yield from _spent(manifest)
    if manifest.retention and not any(job.function.startswith(_PRUNE) for job in manifest.jobs):
        wanted = f"a job with function: {_PRUNE}handle, or no retention: nothing else deletes"
        yield Finding(("retention",), "retention and no job that prunes", wanted)


def _spent(manifest: Manifest) -> Iterator[Finding]:
    """What was spent is counted again from the records, so they must last as long as a budget."""
    keep = manifest.retention.keeps().get("requests", Keep()) if manifest.retention else Keep()
    for budget in manifest.budgets:
        whose = budget.match.tenants
        found = f"fewer days than the month of the budget {budget.called}"
        wanted = "30d or more: once its count is lost it is counted again from these rows"
        general = not whose or not keep.tenants.keys() >= {*whose}
        if budget.window == "month" and general and (keep.seconds or _MONTH) < _MONTH:
            yield Finding(("retention", "requests"), found, wanted)
        for tenant, seconds in keep.tenants.items():
            if budget.window == "month" and seconds < _MONTH and (not whose or tenant in whose):
                yield Finding(("retention", "tenants", tenant, "requests"), found, wanted)

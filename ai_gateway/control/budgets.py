"""What may be asked and spent: as it is declared, and how it stands for a tenant, team or key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ai_gateway.access.asked import query
from ai_gateway.access.rights import DEFAULT_TENANT
from ai_gateway.contract import Context, Event
from ai_gateway.errors import LimitsUnavailable
from ai_gateway.limits.plan import Entry, Who
from ai_gateway.limits.standing import entries, standing
from ai_gateway.manifest.closed import Closed
from ai_gateway.manifest.model import Manifest
from ai_gateway.manifest.units import Said


class Asked(Closed):
    """Whose counts are meant; nobody's if nothing is said. A key by its id, as records have it."""

    tenant: Said | None = None
    team: Said | None = None
    key: Said | None = None


def told(event: Event, context: Context) -> dict[str, Any]:
    """Limits and budgets; raises BadRequest, and LimitsUnavailable while no count is known."""
    asked, manifest = query(event, Asked), context.manifest
    met = _met(asked, manifest) if asked != Asked() else ()
    found = standing(context.limits, met)
    if found is None:
        raise LimitsUnavailable("What is used cannot be told now; try again.")
    return {
        "limits": [each.model_dump(mode="json", exclude_none=True) for each in manifest.limits],
        "budgets": [each.model_dump(mode="json", exclude_none=True) for each in manifest.budgets],
        "standing": found,
    }


def _met(asked: Asked, manifest: Manifest) -> Iterator[Entry]:
    """The counters of who is named; those of a team or key that is not are somebody else's."""
    who = Who(asked.tenant or DEFAULT_TENANT, asked.team or "", asked.key or "")
    unsaid = {name for name in ("team", "key") if getattr(asked, name) is None}
    for entry in entries(manifest, who, manifest.routes, tuple(manifest.models)):
        if unsaid.isdisjoint(entry.rule.per):
            yield entry

"""What a new key may be: no child exceeds its parent, whatever is asked.

A parent does not change once it is issued, so what is true of a child when it is made stays true.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Final

from ai_gateway.access.asked import LONGEST, NewKey
from ai_gateway.access.keys import Key, Names
from ai_gateway.errors import BadRequest, Forbidden

#: Of the tenant of who says none.
DEFAULT_TENANT: Final = "default"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a new key is to be; ``expires_at`` is in microseconds since the epoch."""

    owner: str
    team: str
    tenant: str
    scopes: frozenset[str]
    routes: Names
    models: Names
    expires_at: int | None


def granted(asked: NewKey, parent: Key | None, now: int) -> Grant:
    """What ``asked`` comes to below ``parent``, or with none by an administrator alone.

    ``now`` is in microseconds. Raises Forbidden for more than the parent has, BadRequest for a time
    that makes no sense.
    """
    if parent is None:
        owner, team, tenant = "", asked.team or "", asked.tenant or DEFAULT_TENANT
    else:
        owner = parent.owner
        team = _same("team", asked.team, parent.team)
        tenant = _same("tenant", asked.tenant, parent.tenant)
    return Grant(
        owner=asked.owner or owner,
        team=team,
        tenant=tenant,
        scopes=_scopes(asked, parent),
        routes=_names(asked, "routes", parent),
        models=_names(asked, "models", parent),
        expires_at=_expiry(asked, parent, now),
    )


def _same(what: str, asked: str | None, of_parent: str) -> str:
    if asked not in (None, of_parent):
        raise _exceeds(what)
    return of_parent


def _scopes(asked: NewKey, parent: Key | None) -> frozenset[str]:
    found = frozenset(asked.scopes)
    if parent is not None and not found <= parent.scopes:
        raise _exceeds("scopes")
    return found


def _names(asked: NewKey, name: str, parent: Key | None) -> Names:
    limit: Names = getattr(parent, name) if parent else None
    if name not in asked.model_fields_set:
        return limit
    wanted: tuple[str, ...] | None = getattr(asked, name)
    found = None if wanted is None else frozenset(wanted)
    if limit is not None and (found is None or not found <= limit):
        raise _exceeds(name)
    return found


def _expiry(asked: NewKey, parent: Key | None, now: int) -> int | None:
    # One that was followed by another ends sooner than it expires.
    limit = int(parent.until) if parent and isfinite(parent.until) else None
    if not {"expires_in", "expires_at"} & asked.model_fields_set:
        return limit
    wanted = _wanted(asked, now)
    if wanted is not None and not now < wanted <= now + LONGEST * 1e6:
        raise BadRequest("A key ends later than now, and within 100 years.", param="expires_at")
    if limit is not None and (wanted is None or wanted > limit):
        raise _exceeds("expires_at")
    return wanted


def _wanted(asked: NewKey, now: int) -> int | None:
    if asked.expires_in is not None:
        return now + round(asked.expires_in * 1e6)
    return None if asked.expires_at is None else round(asked.expires_at.timestamp() * 1e6)


def _exceeds(what: str) -> Forbidden:
    return Forbidden(f"A key has no more than the one that it is made below: {what} exceeds it.")

"""What a person's keys came to, and how his limits and budgets stand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from ai_gateway.access.keys import Key
from ai_gateway.contract import Caller, Context
from ai_gateway.errors import StoreAway
from ai_gateway.limits.plan import Entry, Who
from ai_gateway.limits.standing import entries, standing
from ai_gateway.portal.declared import portal_function
from ai_gateway.portal.own import OwnKeys
from ai_gateway.records import StoreUnavailable

_DAY: Final = 86_400.0
_FIGURES: Final = ("requests", "errors", "input_tokens", "output_tokens", "cost")

Row = dict[str, Any]


class Asked(BaseModel):
    """Of how many days, with today's; UTC."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: Annotated[int, Field(ge=1, le=92)] = 30


def told(own: OwnKeys, context: Context, days: int) -> Row:
    """Figures by day and by key, and the limits of the keys that work now."""
    keys, now = own.every(), own.event.received_at
    until = (now // _DAY + 1) * _DAY
    rows = _rows(context, own.caller, keys, until - days * _DAY, until)
    by_day, by_key = _summed(rows, "date"), _summed(rows, "key_id")
    return {
        "days": [{"date": date, **figures} for date, figures in sorted(by_day.items())],
        "keys": [
            {"id": identity, "name": name, **by_key[identity]}
            for identity, name in _named(own.caller, keys)
            if identity in by_key
        ],
        "total": _summed([{**row, "all": ""} for row in rows], "all").get("", _nothing()),
        "limits": _limits(own, context, [key for key in keys if _works(own, key)]),
    }


def _works(own: OwnKeys, key: Key) -> bool:
    return key.until > own.now and own.issued.revoked_at(key) is None


def _named(caller: Caller, keys: Sequence[Key]) -> Iterator[tuple[str, str]]:
    """What rows of his may be of: his keys, and he himself where he calls without one."""
    yield from ((key.id, key.name) for key in keys)
    yield caller.id, "(without a key)"


def _rows(
    context: Context, caller: Caller, keys: Sequence[Key], since: float, until: float
) -> list[Row]:
    from ai_gateway.records import usage  # noqa: PLC0415 - pyarrow, which a start does without

    routes = context.manifest.routes
    try:
        return usage.by_day(
            context.records,
            [identity for identity, _ in _named(caller, keys)],
            tenants={caller.tenant, *(key.tenant for key in keys)},
            # What went wrong on the page itself is no use of anything.
            without=[route.name for route in routes if portal_function(route.function)],
            since=since,
            until=until,
        )
    except StoreUnavailable:
        raise StoreAway("What was used cannot be read now; try again.") from None


def _nothing() -> Row:
    return dict.fromkeys(_FIGURES[:2], 0) | dict.fromkeys(_FIGURES[2:])


def _summed(rows: Iterable[Mapping[str, Any]], by: str) -> dict[str, Row]:
    """Sums of each figure; one that no row knows is null."""
    sums: dict[str, Row] = defaultdict(_nothing)
    for row in rows:
        total = sums[row[by]]
        for name in _FIGURES:
            if row[name] is not None:
                total[name] = (total[name] or 0) + row[name]
    return sums


def _limits(own: OwnKeys, context: Context, keys: Sequence[Key]) -> list[Row] | None:
    """What every limit and budget allows that these keys meet; None while that is not known."""
    met = [entry for key in keys for entry in _entries(own, context, key)]
    found = standing(context.limits, met)
    for row in found or ():
        for key in keys:
            row["of"] = row["of"].replace(key.id, key.name)
    return found


def _entries(own: OwnKeys, context: Context, key: Key) -> Iterator[Entry]:
    """Every counter that a call by ``key`` may meet."""
    manifest = context.manifest
    names = own.portal.keys.routes if key.routes is None else key.routes
    routes = [route for route in manifest.routes if route.name in names]
    models = [name for name in manifest.models if key.models is None or name in key.models]
    return entries(manifest, Who(key.tenant, key.team, key.id), routes, models)

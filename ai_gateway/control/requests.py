"""Recorded requests as the admin API shows them: which of them, and to whom.

An administrator sees every tenant's. Any other caller sees requests of his own tenant alone, and
of those no more than his team, routes and models let him ask for; the gateway's own calls, whose
texts are others' answers, are an administrator's. What is not his is not there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from ai_gateway.access.asked import query
from ai_gateway.answer.derived import Derived, derived
from ai_gateway.compliance.export import readable
from ai_gateway.contract import Caller, Context, Event
from ai_gateway.errors import BadRequest, NotFound, StoreAway
from ai_gateway.manifest.closed import Closed
from ai_gateway.manifest.model import Route
from ai_gateway.manifest.units import Said
from ai_gateway.records import StoreUnavailable, to_rows
from ai_gateway.records.outcome import FAILED, OWN, REFUSED

#: What a list tells of a request: no text, and nothing that is as long as one.
LISTED: Final = (
    "request_id",
    "received_at",
    "tenant",
    "team",
    "key_id",
    "route",
    "surface",
    "method",
    "path",
    "model_requested",
    "selection",
    "chosen",
    "served",
    "propensity",
    "status",
    "error",
    "cache",
    "finish_reason",
    "input_tokens",
    "output_tokens",
    "cost",
    "latency_ms",
    "time_to_first_token_ms",
    "simulated",
)
_DAY: Final = 86_400.0  # seconds
#: A list that is no following looks through so many days at most.
_DAYS: Final = 31
#: Scores and feedback that are later than that are not looked for; and so many of each.
_AFTERWARDS: Final = 31 * _DAY
_BESIDE: Final = 100
#: A request that is younger, in seconds, may not be readable yet.
_YOUNG: Final = 60.0
_DIGITS: Final = 32  # of an id
_OUTCOMES: Final = {
    "served": [("status", "<", REFUSED)],
    "refused": [("status", ">=", REFUSED), ("status", "<", FAILED)],
    "failed": [("status", ">=", FAILED)],
}
#: Columns with an entry a model.
_OF_MODELS: Final = ("candidates", "attempts")
Condition = tuple[str, str, Any]
_Seconds = Annotated[float, Field(ge=0, le=1e11)]


class Wanted(Closed):
    """Which requests: those that fit all of it. Times are seconds since the epoch."""

    route: Annotated[Said | None, Field(description="By its name.")] = None
    model: Annotated[Said | None, Field(description="The one that was chosen.")] = None
    status: Annotated[int | None, Field(ge=100, le=599)] = None
    outcome: Literal["served", "refused", "failed"] | None = None
    since: Annotated[_Seconds | None, Field(description="A day ago if left out.")] = None
    until: _Seconds | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Annotated[
        str | None,
        Field(max_length=40_000, description="Of another list: what became readable since."),
    ] = None

    def conditions(self) -> list[Condition]:
        """As a table is asked; without the times."""
        said = {"route": self.route, "chosen": self.model, "status": self.status}
        found = [(name, "==", value) for name, value in said.items() if value is not None]
        return found + (_OUTCOMES[self.outcome] if self.outcome else [])


@dataclass(frozen=True, slots=True)
class Sight:
    """What one caller may see of the requests that were recorded."""

    caller: Caller

    def conditions(self) -> list[Condition]:
        """What a row must fulfil; what no model was chosen for has none."""
        caller = self.caller
        if caller.admin:
            return []
        found: list[Condition] = [("tenant", "==", caller.tenant), ("surface", "not in", OWN)]
        if caller.team:
            found.append(("team", "==", caller.team))
        if caller.routes is not None:
            found.append(("route", "in", sorted(caller.routes)))
        if caller.models is not None:
            models = [*sorted(caller.models), None]
            found += [("chosen", "in", models), ("served", "in", models)]
        return found

    def shown(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """``row`` without the models that are not the caller's, and without where models stand."""
        if self.caller.admin:
            return dict(row)
        models = self.caller.models
        mine = {
            name: [each for each in row[name] or () if models is None or each["model"] in models]
            for name in _OF_MODELS
        }
        attempts = [{**each, "endpoint": None} for each in mine["attempts"]]
        return {**row, **mine, "attempts": attempts}

    def derived(self, row: Mapping[str, Any], route: Route | None) -> Derived | None:
        """The choice of ``row`` once more; one that differs may name a model that is not his."""
        again = derived(row, route)
        bounded = not self.caller.admin and self.caller.models is not None
        return None if again is None or (bounded and not again["same"]) else again


def listed(event: Event, context: Context) -> dict[str, Any]:
    """A page of requests, newest first; with a cursor what is new, as it became readable.

    Raises BadRequest, and StoreAway where the records cannot be read.
    """
    wanted = query(event, Wanted)
    since, until = _bounds(wanted, context.clock.now())
    if wanted.cursor is None:
        with contextlib.suppress(StoreUnavailable):  # then what is readable is shown
            context.records.flush()
    where = [*wanted.conditions(), *Sight(event.caller).conditions()]
    try:
        page = context.records.page(
            wanted.limit, LISTED, where, since=since, until=until, after=wanted.cursor
        )
    except StoreUnavailable:
        raise StoreAway("The records cannot be read now; try again.") from None
    except ValueError:
        raise BadRequest("This is no cursor that was given out.", param="cursor") from None
    if page.rows or wanted.cursor is None:
        said = wanted.model_dump(exclude={"cursor"}, exclude_none=True)
        context.audit.note(
            event, "requests.list", "requests", after={**said, "rows": len(page.rows)}
        )
    return {
        "object": "list",
        "data": [readable(row) for row in page.rows],
        "cursor": str(page.position),
        "has_more": page.more,
    }


def _bounds(wanted: Wanted, now: float) -> tuple[float | None, float | None]:
    if wanted.cursor is not None:
        return wanted.since, wanted.until
    until = wanted.until
    end = now if until is None else min(now, until)
    since = max(0.0, end - _DAY) if wanted.since is None else wanted.since
    if end - since > _DAYS * _DAY:
        raise BadRequest(
            f"At most {_DAYS} days are looked through at a time: a later since, or an earlier"
            " until.",
            param="since",
        )
    return since, until


def explained(event: Event, context: Context) -> dict[str, Any]:
    """One request, what was said of its answer, and its choice derived again.

    Raises NotFound where it is not there or not the caller's, StoreAway where that cannot be told.
    """
    identity = event.path_parameters["id"]
    sight = Sight(event.caller)
    try:
        row = _found(identity, sight, context)
        beside = {table: _beside(context, table, row) for table in ("scores", "feedback")}
    except StoreUnavailable:
        raise StoreAway("The records cannot be read now; try again.") from None
    context.audit.note(event, "requests.explain", row["request_id"])
    again = sight.derived(row, _route(row, context))
    return {
        "request": readable(sight.shown(row)),
        **beside,
        **({} if again is None else {"derived": again}),
    }


def _found(identity: str, sight: Sight, context: Context) -> dict[str, Any]:
    at, now = _time_of(identity), context.clock.now()
    if at is not None and at < now + _YOUNG:
        if at > now - _YOUNG:
            context.records.flush()
        row = context.records.request(identity, at, sight.conditions())
        if row is not None:
            return row
    raise NotFound("There is no such request, or none that you may see.")


def _time_of(identity: str) -> float | None:
    """When it was made, in seconds since the epoch; None for what is no id of ours."""
    if len(identity) != _DIGITS or not set(identity) <= set("0123456789abcdef"):
        return None
    return int(identity[:12], 16) / 1000


def _beside(context: Context, table: Literal["scores", "feedback"], row: Mapping[str, Any]) -> Any:
    at = row["received_at"] / 1e6
    found = context.records.newest(
        table,
        _BESIDE,
        since=at,
        until=at + _AFTERWARDS,
        where=[("request_id", "==", row["request_id"]), ("tenant", "==", row["tenant"])],
    )
    return [readable(each) for each in reversed(to_rows(found))]


def _route(row: Mapping[str, Any], context: Context) -> Route | None:
    """The row's route, if the manifest in force is the very one that it was decided by."""
    if row["manifest_hash"] != context.manifest_hash:
        return None
    return next((each for each in context.manifest.routes if each.name == row["route"]), None)

"""The audit log as the admin API shows it."""

from __future__ import annotations

import contextlib
from typing import Any
from urllib.parse import parse_qs

import pydantic

from ai_gateway.contract import Context, Event, bad_request
from ai_gateway.control.audit import COLUMNS
from ai_gateway.errors import BadRequest
from ai_gateway.records import StoreUnavailable, to_rows


class Wanted(pydantic.BaseModel):
    """What of the log is asked for; times are seconds since the epoch."""

    model_config = pydantic.ConfigDict(extra="forbid")

    who: str | None = None
    action: str | None = None
    object: str | None = None
    outcome: str | None = None
    writer: str | None = None
    request_id: str | None = None
    since: float | None = pydantic.Field(None, ge=0, le=1e11)
    limit: int = pydantic.Field(100, ge=1, le=1000)


def entries(event: Event, context: Context) -> list[dict[str, Any]]:
    """The newest rows that fit the query; those of other processes are seconds behind.

    Raises BadRequest for a filter that there is not.
    """
    wanted = _wanted(event)
    names = ("who", "action", "object", "outcome", "writer", "request_id")
    given = [(name, value) for name in names if (value := getattr(wanted, name)) is not None]
    with contextlib.suppress(StoreUnavailable):  # then what is readable is shown
        context.records.flush()
    where = [(name, "==", value) for name, value in given]
    found = context.records.newest(
        "audit", wanted.limit, [*COLUMNS, "hash"], since=wanted.since, where=where
    )
    return [{**row, "at": row["at"] / 1e6} for row in to_rows(found)]


def _wanted(event: Event) -> Wanted:
    try:
        query = parse_qs(event.query, keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise BadRequest("The query has too many fields.") from None
    try:
        return Wanted.model_validate({name: values[-1] for name, values in query.items()})
    except pydantic.ValidationError as error:
        raise bad_request(error) from None

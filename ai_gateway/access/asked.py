"""What the functions of issued keys are asked: closed bodies and a closed query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, TypeVar
from urllib.parse import parse_qsl

import pydantic
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from ai_gateway.contract import Event, bad_request
from ai_gateway.errors import BadRequest, UnsupportedMediaType
from ai_gateway.manifest.units import Duration, Interval, Name, Said, matching

#: As ``ids.new_id`` makes them.
KEY_ID: Final = "[0-9a-f]{32}"
#: Seconds. No key lives longer from its making on, unless it lives for ever.
LONGEST: Final = 100 * 366 * 86_400.0
_OVERLAP: Final = 86_400.0  # seconds
_MOST: Final = 1_000

Asked = TypeVar("Asked", bound=BaseModel)


KeyId = Annotated[str, BeforeValidator(matching(KEY_ID, "a key's id: 32 hex digits"))]
NameList = Annotated[tuple[Name, ...], Field(max_length=_MOST)]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NewKey(_Closed):
    """A key to be issued; ``routes`` and ``models`` that are null are all of them.

    What is left out is as its parent has it, and without a parent all routes and models; but a
    scope must be named.
    """

    name: Said
    owner: Said | None = None
    team: Name | None = None
    tenant: Name | None = None
    scopes: NameList = ()
    routes: NameList | None = None
    models: NameList | None = None
    expires_in: Annotated[Duration, Field(le=LONGEST)] | None = Field(None, description="From now.")
    expires_at: AwareDatetime | None = Field(None, description="With its time zone.")
    parent: KeyId | None = None

    @model_validator(mode="after")
    def _ends_once(self) -> NewKey:
        if {"expires_in", "expires_at"} <= self.model_fields_set:
            raise ValueError("expires_in or expires_at, not both")
        return self


class Rotation(_Closed):
    """How long a key that is followed by another one still works beside it; a day if left out."""

    overlap: Annotated[Interval, Field(le=LONGEST)] = _OVERLAP


class Search(_Closed):
    """Which keys are listed: those that fit all of it, oldest first, beginning after a key."""

    prefix: Annotated[str, Field(max_length=64)] = ""
    owner: Annotated[str, Field(max_length=200)] | None = None
    tenant: Annotated[str, Field(max_length=64)] | None = None
    after: Annotated[str, Field(max_length=64)] = ""
    limit: Annotated[int, Field(ge=1, le=_MOST)] = 100


def body(event: Event, model: type[Asked], *, optional: bool = False) -> Asked:
    """The body of ``event``; raises BadRequest, or UnsupportedMediaType as ``say_json`` does."""
    say_json(event)
    return model() if optional and not event.body else event.parse(model)


def say_json(event: Event) -> None:
    """Raise UnsupportedMediaType unless the request says that it is JSON, as no form can."""
    if not says_json(event.headers):
        raise UnsupportedMediaType("Send Content-Type: application/json, also without a body.")


def says_json(headers: Mapping[str, str]) -> bool:
    """Whether the Content-Type is that of JSON."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json"


def query(event: Event, model: type[Asked]) -> Asked:
    """The query of ``event``, each field once; raises BadRequest."""
    try:
        pairs = parse_qsl(event.query, keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise BadRequest("The query has too many fields.") from None
    if len(found := dict(pairs)) != len(pairs):
        raise BadRequest("A field stands twice in the query.")
    try:
        return model.model_validate(found)
    except pydantic.ValidationError as error:
        raise bad_request(error) from None

"""What the admin API answers, and what it is asked in a query."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from ai_gateway.answer.derived import Derived
from ai_gateway.control.figures import PROCESS, TYPES

Object = dict[str, Any]


class ShownKey(TypedDict):
    """An issued key; neither its text nor the hash of it. Null routes and models are all."""

    id: str
    object: Literal["key"]
    prefix: str
    name: str
    owner: str
    team: str
    tenant: str
    scopes: list[str]
    routes: list[str] | None
    models: list[str] | None
    status: Literal["active", "expired", "retired", "revoked"]
    created_at: str
    created_by: str
    expires_at: str | None
    parent: str | None
    revoked_at: str | None
    retire_at: str | None
    replaced_by: str | None


class MadeKey(ShownKey):
    """A key that was just made, with its text, which is told this once."""

    key: str


class KeyList(TypedDict):
    """Issued keys, oldest first."""

    object: Literal["list"]
    data: list[ShownKey]
    has_more: bool


class ShownRoute(TypedDict):
    """A route as the bundle's file has it; the keys of the manifest."""

    name: str
    path: str
    methods: str | list[str]


class RouteList(TypedDict):
    """Every route, in the order of the file."""

    routes: list[ShownRoute]


class SecuredEndpoint(TypedDict):
    """Who may call the routes on a path by now."""

    endpoint: str
    routes: list[Object]


class ModelsShown(TypedDict):
    """The models of the bundle, credentials masked."""

    models: dict[str, Object]


class Standing(TypedDict):
    """One counter: what it allows in its window, what is used and left, in money for a budget."""

    name: str
    unit: Literal["requests", "tokens", "cost"]
    window: str
    of: str
    allowed: float
    used: float
    left: float
    resets_at: str


class BudgetsShown(TypedDict):
    """Limits and budgets as they are declared, and how they stand for whom the query names."""

    limits: list[Object]
    budgets: list[Object]
    standing: list[Standing]


class PolicyEntry(TypedDict):
    """A policy, and the SHA-256 of its file."""

    name: str
    digest: str


class PolicyList(TypedDict):
    """Every guardrail policy."""

    policies: list[PolicyEntry]


class PolicyReply(TypedDict, total=False):
    """One policy; its text and what that says where it was asked for."""

    name: str
    yaml: str
    policy: Any


class VersionsReply(TypedDict, total=False):
    """The versions that there are, or the one that is in force again."""

    versions: list[int]
    current: int
    restored: int


class AuditReply(TypedDict):
    """Rows of the audit log, newest first."""

    entries: list[Object]


class ListedRequest(TypedDict):
    """One request without its texts; what is not known of it is left out."""

    request_id: str
    received_at: str


class RequestList(TypedDict):
    """Requests, newest first, or behind a cursor as they became readable."""

    object: Literal["list"]
    data: list[ListedRequest]
    cursor: Annotated[str, Field(description="Asks for what became readable since.")]
    has_more: bool


class Explained(TypedDict):
    """One request's record, the judge's scores and people's feedback on it, oldest first.

    ``derived`` is the choice of the model once more, where one was drawn.
    """

    request: ListedRequest
    scores: list[Object]
    feedback: list[Object]
    derived: NotRequired[Derived]


class FiguresQuery(TypedDict, total=False):
    """Which counts."""

    type: Annotated[str, Field(json_schema_extra={"enum": [*TYPES, PROCESS]})]
    endpoint: Annotated[str, Field(description="The path of a route.")]


class Figure(TypedDict):
    """One metric with one set of labels, and its value or its quantiles."""

    type: str
    name: str
    labels: dict[str, str]


class FiguresReply(TypedDict):
    """What this process has counted."""

    type: str
    endpoint: str | None
    metrics: list[Figure]


class Erased(TypedDict, total=False):
    """What an erasure did, or whether somebody was erased."""

    state: Literal["counted", "pending", "done"]
    erasure_id: str
    erased: bool | int
    found: list[Object]
    chain: bool

"""The handler contract: ``handle(event, context) -> Reply``, for HTTP, for a tick and for a test.

All three are frozen. An Event is what came, a Context is what there is to work with, a Reply is
what goes back.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Protocol, TypeVar

import pydantic
from pydantic_core import ErrorDetails

from ai_gateway import strictjson
from ai_gateway.clock import Clock, SystemClock
from ai_gateway.errors import BadRequest
from ai_gateway.limits.meter import Meter

if TYPE_CHECKING:
    from ai_gateway.access.issued import IssuedKeys
    from ai_gateway.answer.call import Answer, Call
    from ai_gateway.answer.weights import Weights
    from ai_gateway.cache.caches import Caches
    from ai_gateway.control.audit import Audit
    from ai_gateway.control.control import Control
    from ai_gateway.guardrails.engine import Guardrails
    from ai_gateway.guardrails.scene import Ask
    from ai_gateway.judge.prompts import Prompt
    from ai_gateway.limits.engine import Limits
    from ai_gateway.manifest.load import BundleState
    from ai_gateway.manifest.model import Manifest, Route
    from ai_gateway.metrics import Metrics
    from ai_gateway.portal.portal import Portal
    from ai_gateway.records import Records
    from ai_gateway.resilience import Circuits
    from ai_gateway.settings import Settings
    from ai_gateway.telemetry.tracing import Trace
    from ai_gateway.upstream.cancel import Cancel
    from ai_gateway.webhooks.hooks import Webhooks

Model = TypeVar("Model", bound=pydantic.BaseModel)
Item = TypeVar("Item")
Body = pydantic.BaseModel | Mapping[str, object] | bytes | Iterable[bytes]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: an id that is safe to record, and the tenant whose data it is.

    ``routes`` and ``models`` are all that he may use, by name; None is everything. A scope has who
    was given it: None is none, unless he is an administrator, who has all.
    """

    id: str
    scheme: str
    tenant: str = "default"
    admin: bool = False
    team: str = ""
    owner: str = ""
    scopes: frozenset[str] | None = None
    routes: frozenset[str] | None = None
    models: frozenset[str] | None = None


ANONYMOUS = Caller(id="anonymous", scheme="none")


@dataclass(frozen=True, slots=True)
class Event:
    """One request or tick. Header names are lower case; the request id is always ours."""

    request_id: str
    route: Route
    method: str
    path: str
    received_at: float
    started: float = 0.0
    path_parameters: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    caller: Caller = ANONYMOUS
    #: What of its limits was taken, for whoever counts it; all copies of the event share it.
    meter: Meter = field(default_factory=Meter, repr=False, compare=False)
    #: Fires when the caller leaves; None where nobody can tell.
    cancel: Cancel | None = None
    #: What its spans are of; None where nobody wants any.
    trace: Trace | None = None

    def of(self, caller: Caller) -> Event:
        """The same, by ``caller``. ``dataclasses.replace`` costs twice as much, at each request."""
        return Event(
            self.request_id,
            self.route,
            self.method,
            self.path,
            self.received_at,
            self.started,
            self.path_parameters,
            self.query,
            self.headers,
            self.body,
            caller,
            self.meter,
            self.cancel,
            self.trace,
        )

    def parse(self, model: type[Model]) -> Model:
        """The body as ``model``; raises BadRequest (InvalidJSON, TooDeep) with what was found."""
        value = strictjson.loads(self.body)
        try:
            return model.model_validate(value)
        except pydantic.ValidationError as error:
            raise bad_request(error) from None


def bad_request(error: pydantic.ValidationError) -> BadRequest:
    """One sentence a problem, with where it is, what was found and what would be right."""
    problems = error.errors(include_url=False, include_context=False)
    sentences = [
        f"{_place(problem) or 'body'}: {problem['msg']} (found {reprlib.repr(problem['input'])})"
        for problem in problems[:10]
    ]
    return BadRequest("; ".join(sentences), param=_place(problems[0]) or None)


def _place(problem: ErrorDetails) -> str:
    """Where in the body; cut, since a key may be as long as the body itself."""
    return ".".join(map(str, problem["loc"]))[:100]


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back: a model or a mapping (sent as JSON), bytes, or chunks for a stream.

    ``heartbeat`` is what may be sent between two chunks of a stream that has fallen silent; a
    stream that has one gives whole events as its chunks.
    """

    body: Body
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    heartbeat: bytes = b""


class Progress(Protocol):
    """Shows how far a long work has come; called as tqdm is."""

    def __call__(self, items: Iterable[Item], *, total: int) -> Iterable[Item]:
        """The same ``items``, of which there are ``total`` or fewer."""


def silent(items: Iterable[Item], *, total: int) -> Iterable[Item]:  # noqa: ARG001 - as Progress
    """A Progress that shows nothing."""
    return items


@dataclass(frozen=True, slots=True)
class Context:
    """The collaborators of a function, built once at start and swapped whole on a reload."""

    settings: Settings
    manifest: Manifest
    policies: Guardrails
    prompts: Mapping[str, Prompt]
    records: Records
    limits: Limits
    weights: Weights
    metrics: Metrics
    state: BundleState
    #: Of each model, or endpoint of one, that declares a breaker and was asked.
    circuits: Circuits
    keys: IssuedKeys
    #: Who changes what is noted here.
    audit: Audit
    #: The one way to change the bundle.
    control: Control
    #: The one way to a model: guard, route, forward, guard, record, always in that order.
    answer: Callable[[Call], Answer]
    #: How a guardrail check asks a model for an event's sake; None where there are none.
    consult: Callable[[Event], Ask] | None = None
    #: What an erasure must forget as well; None where nothing is cached.
    caches: Caches | None = None
    #: How people sign in; None where the bundle declares no portal.
    portal: Portal | None = None
    #: Who is told of what; None where the bundle names no receiver.
    webhooks: Webhooks | None = None
    #: The digest of the manifest, as records name it.
    manifest_hash: str = ""
    clock: Clock = field(default_factory=SystemClock)
    random: Random = field(default_factory=SystemRandom)
    progress: Progress = silent


Handler = Callable[[Event, Context], Reply]

"""routes.yaml as a closed, versioned model. ``routes.schema.json`` is generated from here.

Field names are the file's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from ai_gateway.access.cors import Cors, short
from ai_gateway.access.issuer import Issuer
from ai_gateway.cache.declared import Cache
from ai_gateway.compliance.declared import Retention, Slo
from ai_gateway.cost.declared import Price
from ai_gateway.limits.declared import Budget, Limit, OnError
from ai_gateway.manifest.closed import Closed, OneOrMore
from ai_gateway.manifest.credentials import Credentials
from ai_gateway.manifest.units import Duration, Interval, Name, RateLimit, UrlPath
from ai_gateway.portal.declared import Portal
from ai_gateway.resilience.declared import (
    Balance,
    Breaker,
    Canary,
    ColdStart,
    Concurrency,
    Fallback,
    Retries,
    Shadow,
)
from ai_gateway.webhooks.declared import Callback

Scheme = Literal["none", "api-key", "jwt", "platform", "session"]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
Privacy = Literal["full", "redacted", "hashed", "none"]
_SILENCE = 60.0  # seconds that any stream may be silent, unless its model says less


class Timeout(Closed):
    """How long an upstream may take: to connect, to its first byte, and for the whole."""

    connect: Duration = 5.0
    first_byte: Duration = 60.0
    stall: Duration | None = Field(
        None,
        description="How long a stream may be silent; first_byte, but at least 60 s, if left out.",
    )
    whole: Duration = 120.0

    @property
    def silence(self) -> float:
        """Seconds that a stream may be silent."""
        return max(_SILENCE, self.first_byte) if self.stall is None else self.stall


class Endpoint(Closed):
    """Another place of the same model; what it leaves out is as the model says."""

    url: str = Field(description="Ends in /v1 (NIM) or /openai/v1 (vLLM).")
    model_id: str | None = Field(None, min_length=1, description="What it calls the model.")
    credentials: Credentials | None = None
    ca_file: str | None = Field(None, description="Certificates to trust for this endpoint.")
    client_cert: str | None = Field(None, description="Certificate to be known by there, in PEM.")
    client_key: str | None = Field(None, description="Its key, where the same file has none.")


class Model(Closed):
    """One model, at one endpoint or several."""

    url: str = Field(
        description="Ends in /v1 (NIM), /openai/v1 (vLLM), /v2 (oip), or as the provider says."
    )
    model_id: str = Field(min_length=1, description="What the endpoint itself calls the model.")
    credentials: Credentials = Credentials()
    dialect: Literal["openai", "anthropic", "oip"] = "openai"
    price: Price | None = Field(
        None, description="Its provider's public one, where it is known, if left out."
    )
    max_output_tokens: int | None = Field(None, ge=1)
    token_limit: Literal["max_tokens", "max_completion_tokens"] | None = Field(
        None, description="What it calls a chat's limit of tokens, if it takes no other name."
    )
    include_usage: bool = Field(
        default=True,
        description="Whether a stream's usage is asked for (`stream_options`), which some refuse.",
    )
    timeout: Timeout = Timeout()
    max_connections: int = Field(1000, ge=1, le=10000)
    ca_file: str | None = Field(None, description="Certificates to trust for this endpoint.")
    client_cert: str | None = Field(None, description="Certificate to be known by there, in PEM.")
    client_key: str | None = Field(None, description="Its key, where the same file has none.")
    breaker: Breaker | None = Field(None, description="When it is left alone, and how long.")
    concurrency: Concurrency | None = Field(None, description="How many calls it gets at once.")
    endpoints: tuple[Endpoint, ...] = Field(
        (), max_length=100, description="Further places of it, which calls are shared out among."
    )
    balance: Balance = Field("least-busy", description="How one of several endpoints is picked.")
    cold_start: ColdStart | None = Field(None, description="What to do while it starts.")
    candidate: bool = Field(
        default=True,
        description="Whether routes that name no models choose from it; not, for a guard's model.",
    )


class Routing(Closed):
    """How a model is picked from the scores that the judge publishes."""

    policy: Literal["highest-score", "weighted"] = "highest-score"
    models: Annotated[tuple[Name, ...], OneOrMore] = Field(
        (), description="The candidates; every model but the judge's if left out."
    )
    explore: float = Field(0.1, ge=0, le=1, description="Share that is spread over all candidates.")
    floor: float = Field(0.1, gt=0, le=1, description="No score counts as less than this.")


def _routing(value: object) -> object:
    return {"policy": value} if isinstance(value, str) else value


def name_by_path(path: str) -> str:
    """The name of a route that has none of its own."""
    return "-".join(re.findall(r"[a-z0-9._]+", path.lower()))[:64] or "home"


class Route(Closed):
    """One path, and what answers it: a function, or a target that it is proxied to."""

    name: Name = Field(description="The path's words, joined by dashes, if left out.")
    path: UrlPath
    methods: Annotated[tuple[Method, ...], OneOrMore, Field(min_length=1)] = ("POST",)
    function: str | None = Field(None, description="functions.MODULE:NAME")
    target: str | None = Field(None, description="http://host:port that path and below go to.")
    errors: Literal["openai", "anthropic", "oip"] = Field(
        "openai", description="The shape of errors, as the callers' SDK reads them."
    )
    auth: Annotated[tuple[Scheme, ...], OneOrMore] = Field(
        (), description="Any of these is enough; a route without is denied."
    )
    scopes: Annotated[tuple[Name, ...], OneOrMore] = Field(
        (), description="What a caller must have been given, all of it; an administrator has all."
    )
    rate_limit: RateLimit | None = Field(None, alias="rateLimit")
    guardrails: tuple[Name, ...] | None = Field(
        None, description="Names of policies; every policy of the bundle if left out."
    )
    routing: Annotated[Routing, BeforeValidator(_routing)] = Routing()
    retries: Retries | None = Field(None, description="How often a model is asked again.")
    fallback: Fallback | None = Field(None, description="Who answers instead, and after what.")
    canary: Canary | None = Field(None, description="A model that gets a share of the requests.")
    shadow: Shadow | None = Field(None, description="A model that is asked too, for the record.")
    privacy: Privacy = "full"
    timeout: Duration | None = Field(None, description="For the whole answer, from its arrival.")
    max_body: int = Field(10_000_000, ge=1, le=1_000_000_000, description="Bytes.")
    credentials: Credentials = Credentials()
    cache: Cache | None = Field(None, description="Whether answers are given again.")
    cors: Annotated[Cors | None, BeforeValidator(short)] = Field(
        None, description="Pages of which origins may call it; of none if left out."
    )
    slo: Slo | None = Field(None, description="What it promises: availability and latency.")
    callback: Callback | None = Field(
        None, description="Who is told of its requests, in place of the bundle's own callback."
    )

    @model_validator(mode="before")
    @classmethod
    def _name_by_path(cls, value: Any) -> Any:
        if isinstance(value, dict) and "name" not in value and isinstance(value.get("path"), str):
            return {**value, "name": name_by_path(value["path"])}
        return value


class Security(Closed):
    """The security of the route whose path is ``endpoint``."""

    endpoint: str
    auth: Annotated[tuple[Scheme, ...], OneOrMore] = ()
    rate_limit: RateLimit | None = Field(None, alias="rateLimit")


class Judge(Closed):
    """Who judges, by what prompt, and how hard."""

    model: Name
    prompt: str = Field("answer-quality.v1", description="judge_prompts/NAME.md")
    concurrency: int = Field(8, ge=1, le=256)
    attempts: int = Field(5, ge=1, le=100, description="Then an answer is given up.")
    backoff: Duration = Field(30.0, description="Before the second attempt; doubles each time.")
    batch: int = Field(1000, ge=1, description="Answers a tick; more are sampled at random.")
    lookback: Duration = Field(7 * 86400.0, description="How old an answer may be.")
    max_tokens: int = Field(1024, ge=16, description="Of the judge's reply, its reasoning too.")
    window: int = Field(200, ge=1, description="A model's score is of its newest so many answers.")


class Job(Closed):
    """What a scheduler should run, and when."""

    name: Name
    function: str
    every: str = Field(description="A duration (5m) or a cron line.")


class Manifest(Closed):
    """The whole bundle."""

    version: Literal[1] = 1
    models: dict[Name, Model] = Field({})
    judge: Judge | None = None
    routes: tuple[Route, ...] = ()
    security: tuple[Security, ...] = ()
    jwt: tuple[Issuer, ...] = Field(
        (), max_length=50, description="Whose tokens `auth: jwt` takes."
    )
    portal: Portal | None = Field(None, description="The page where people make keys themselves.")
    jobs: tuple[Job, ...] = ()
    retention: Retention | None = Field(
        None, description="How long rows are kept; for ever if left out."
    )
    allowed_hosts: tuple[str, ...] | None = Field(
        None,
        description="Hosts and networks that targets may have, and callbacks beside the public "
        "internet; the file's own targets if left out.",
    )
    limits: tuple[Limit, ...] = Field((), max_length=100, description="How much may be asked.")
    budgets: tuple[Budget, ...] = Field((), max_length=100, description="How much may be spent.")
    limits_on_error: OnError = Field(
        "closed", description="What is done while shared counts cannot be reached."
    )
    bundles: Literal["files", "shared"] = Field(
        "files",
        description="Where changes through the admin API go: to the bundle's files, or, for "
        "several replicas, to versions under GATEWAY_DATA that each of them follows.",
    )
    heartbeat: Interval = Field(
        15.0, description="The longest silence of a stream, whatever its model does; 0 is none."
    )
    callback: Callback | None = Field(
        None, description="Who is told of requests and of the gateway: a URL, or more of it."
    )

    def candidates(self, route: Route) -> tuple[str, ...]:
        """The models that ``route`` chooses from, its canary among them.

        Where the route names none, all but the judge's, its own shadow, which answers nobody, and
        those that are no candidates.
        """
        named = route.routing.models
        if not named:
            judge = self.judge.model if self.judge else None
            shadow = route.shadow.model if route.shadow else None
            named = tuple(
                name
                for name, model in self.models.items()
                if model.candidate and name not in (judge, shadow)
            )
        if route.canary is None or route.canary.model in named:
            return named
        return (*named, route.canary.model)

    def nameable(self, name: str) -> Route | None:
        """The route that a call's ``model`` may name: one that declares how its model is chosen."""
        return next((route for route in self.nameables() if route.name == name), None)

    def nameables(self) -> Iterator[Route]:
        """Every such route."""
        return (route for route in self.routes if "routing" in route.model_fields_set)

    def secured(self) -> Manifest:
        """With each ``security`` entry applied to the route whose path is its endpoint."""
        entries = {entry.endpoint: entry for entry in self.security}
        routes = (_secured(route, entries.get(route.path)) for route in self.routes)
        return self.model_copy(update={"routes": tuple(routes)})


def _secured(route: Route, entry: Security | None) -> Route:
    if entry is None:
        return route
    return route.model_copy(
        update={
            "auth": route.auth or entry.auth,
            "rate_limit": route.rate_limit or entry.rate_limit,
        }
    )

"""What an operator declares about failing upstreams, per route or per model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from ai_gateway.manifest.closed import Closed, OneOrMore
from ai_gateway.manifest.units import Duration, Name, matching

#: How one endpoint of several is picked.
Balance = Literal["least-busy", "latency"]

_KIND = r"connect|timeout|cold-start|credentials|busy|open|4xx|5xx|4\d\d|5\d\d"
_WANTED = "connect, timeout, cold-start, credentials, busy, open, 4xx, 5xx or a status"


def _kind(value: object) -> object:
    return matching(_KIND, _WANTED)(str(value))  # YAML reads 429 as a number


Kind = Annotated[
    str,
    BeforeValidator(_kind),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": f"^({_KIND})$"}, {"type": "integer"}]}),
]
Kinds = Annotated[tuple[Kind, ...], OneOrMore]


class Retries(Closed):
    """How often the same model is asked again."""

    attempts: int = Field(2, ge=1, le=10, description="In all, the first one too.")
    backoff: Duration = Field(0.25, description="Before the second; doubles each time, jittered.")
    max_backoff: Duration = 8.0
    on: Kinds = ("connect", "timeout", "429", "5xx", "cold-start")
    repeat: bool = Field(
        default=False,
        description="Also where the model may have worked on it: no answer came, or half of one.",
    )

    @model_validator(mode="after")
    def _for_nothing(self) -> Retries:
        if "credentials" in self.on:
            raise ValueError("failures that pass: refused credentials stay refused; a fallback may")
        return self


class Breaker(Closed):
    """When a model that fails is left alone, and for how long."""

    failures: int = Field(5, ge=1, le=10_000, description="Within the window.")
    share: float = Field(0.5, ge=0, le=1, description="Of the window's calls that must fail too.")
    window: Duration = 30.0
    cooldown: Duration = Field(15.0, description="Then a few calls probe it.")
    probes: int = Field(1, ge=1, le=100, description="At once, while half open.")


class Concurrency(Closed):
    """How many calls a model gets at once, and how many wait for their turn."""

    limit: int = Field(ge=1, le=100_000)
    queue: int = Field(100, ge=0, le=100_000)
    wait: Duration = Field(5.0, description="Longest in the queue; then the model counts as busy.")


class Fallback(Closed):
    """Who answers instead, in this order, and after which failures."""

    models: Annotated[tuple[Name, ...], OneOrMore, Field(min_length=1, max_length=20)]
    on: Kinds = ("connect", "timeout", "429", "5xx", "cold-start", "busy", "open")


class ColdStart(Closed):
    """What to do while a model that was scaled to zero starts."""

    wait: bool = Field(
        default=True,
        description="Ask again until it is up or time is over; else it fails, and may fall back.",
    )
    every: Duration = 2.0
    at_most: Duration = Field(300.0, description="Within the request's own deadline.")

    @model_validator(mode="after")
    def _some_tries(self) -> ColdStart:
        if self.every > self.at_most:
            raise ValueError("`every` is longer than `at_most`")
        return self


class Canary(Closed):
    """A model that takes a share of a route's requests."""

    model: Name
    share: float = Field(gt=0, le=1)


class Shadow(Closed):
    """A model that is asked a share of a route's requests too; its answers are only recorded."""

    model: Name
    share: float = Field(1.0, gt=0, le=1)
    limit: int = Field(8, ge=1, le=64, description="Calls at once; what comes then is left out.")

"""What an operator declares of limits and budgets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ai_gateway.manifest.closed import Closed, OneOrMore
from ai_gateway.manifest.units import Name, RateLimit

Dimension = Literal["key", "team", "tenant", "route", "model"]
Window = Literal["day", "month"]
_Text = Annotated[str, Field(min_length=1, max_length=200)]


def _once(value: object) -> object:
    if isinstance(value, (list, tuple)) and len({*map(str, value)}) < len(value):
        raise ValueError("each of key, team, tenant, route and model at most once")
    return value


_Per = Annotated[
    tuple[Dimension, ...], BeforeValidator(_once), OneOrMore, Field(min_length=1, max_length=5)
]


class Match(Closed):
    """What is counted; a list that is left out is everything."""

    routes: Annotated[tuple[Name, ...], OneOrMore] = Field((), description="Names of routes.")
    models: Annotated[tuple[Name, ...], OneOrMore] = Field((), description="Names of models.")
    tenants: Annotated[tuple[_Text, ...], OneOrMore] = ()
    teams: Annotated[tuple[_Text, ...], OneOrMore] = ()


class _Counted(Closed):
    name: Name | None = Field(None, description="What `per` says, joined by dashes, if left out.")
    per: _Per = Field(description="Each of these, or each combination, has a count of its own.")
    match: Match = Match()
    assume: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        description="Output tokens that a call may have of a model without max_output_tokens.",
    )

    @property
    def called(self) -> str:
        """The name in headers, messages and metrics."""
        return self.name or "-".join(self.per)


class Limit(_Counted):
    """So many requests, or tokens, in a window that begins with the first of them."""

    requests: RateLimit | None = Field(None, description="100/min, 5/s, 1000/day.")
    tokens: RateLimit | None = Field(None, description="Input and output together.")


class Budget(_Counted):
    """So much money in a day or a month, UTC."""

    amount: float = Field(gt=0, le=1_000_000, description="In the currency of the prices.")
    window: Window
    soft: float = Field(0.8, gt=0, le=1, description="The share from which on the log warns.")


class Allowance(Closed):
    """What a process lets through while the shared counts cannot be reached."""

    allowance: int = Field(ge=1, le=1_000_000, description="Requests, until they are there again.")


OnError = Literal["closed"] | Allowance

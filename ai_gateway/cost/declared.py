"""What an operator declares of a model's price."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ai_gateway.manifest.closed import Closed

_Money = Annotated[float, Field(ge=0, le=1_000_000)]


class Price(Closed):
    """Money per million tokens, in the operator's own currency."""

    input: _Money
    output: _Money
    cached: _Money | None = Field(
        None, description="Of input read from a cache; as `input` if left out."
    )
    cache_write: _Money | None = Field(
        None, description="Of input written to a cache; as `input` if left out."
    )
    cache_write_1h: _Money | None = Field(
        None, description="Of input kept for an hour; as `cache_write` if left out."
    )
    reasoning: _Money | None = Field(
        None, description="Of output that is reasoning; as `output` if left out."
    )
    searches: _Money = Field(
        0.0, description="Of a thousand web searches that the provider itself ran."
    )

"""What every check that asks a model says in a policy."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ai_gateway.guardrails.check import Check
from ai_gateway.manifest.units import Duration, Interval, Name


class Remote(Check):
    """A check that asks a model: its findings have no place in a text."""

    places: ClassVar[bool] = False

    model: Name = Field(description="A model of routes.yaml, which is asked.")
    timeout: Duration = Field(
        5.0, description="For all calls of the check together; what takes longer fails."
    )
    cache: Interval = Field(
        300.0, description="How long a verdict is remembered for the same words; 0 for never."
    )
    max_characters: int = Field(
        20_000,
        ge=500,
        le=1_000_000,
        description="What one call shows of the texts; longer ones are shown in parts.",
    )

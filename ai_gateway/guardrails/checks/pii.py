"""``pii``: personal data with a grammar or a checksum: addresses, cards, accounts, national ids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_core.core_schema import ValidationInfo

from ai_gateway.guardrails.check import Check, Finding, Matcher
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.pii import reading
from ai_gateway.guardrails.pii.hit import best
from ai_gateway.guardrails.pii.types import Type, kind
from ai_gateway.guardrails.scene import Scene


class Parameters(Check):
    """Each finding's rule is its type, and its placeholder the type in capitals."""

    type: Literal["pii"]
    types: Annotated[tuple[Type, ...], Field(min_length=1)] = Field(
        description="What is looked for: email, phone, card, iban, us_ssn and others."
    )
    region: str = Field(
        "US", description="The country of telephone numbers that are written without its code."
    )

    @field_validator("region")
    @classmethod
    def _has_telephones(cls, region: str, info: ValidationInfo) -> str:
        if "phone" in info.data.get("types", ()):
            from ai_gateway.guardrails.pii import numbering  # noqa: PLC0415 - only where it is used

            numbering.of_region(region)
        return region


def build(parameters: Parameters) -> Matcher:
    """A matcher that yields what is found, by its place; findings do not overlap."""
    from ai_gateway.guardrails.pii.catalogue import recognisers  # noqa: PLC0415 - only where it is used

    recognising, words = recognisers(parameters.types, parameters.region)

    def find(text: Normalised, _scene: Scene) -> Iterator[Finding]:
        if not reading.may_hold(text.source):
            return
        read = reading.read(text.source)
        nearby = words.of(read.numbers)
        hits = [hit for each in recognising for hit in each.find(read, nearby)]
        for hit in best(hits):
            place = read.place(hit.start, hit.end)
            yield Finding(hit.type, hit.score, *place, kind(hit.type))

    return Matcher(find)

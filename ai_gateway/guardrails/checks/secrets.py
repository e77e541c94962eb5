"""``secrets``: credentials, by their issuers' formats, their checksums and their surroundings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from ai_gateway.guardrails.check import Check, Finding, Matcher
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.scene import Scene
from ai_gateway.guardrails.secret.scan import KINDS, Scanner

if TYPE_CHECKING:
    Kind = str
else:  # the kinds are those that have rules
    Kind = Literal[KINDS]


class Parameters(Check):
    """A finding's rule is the kind of secret; a redaction leaves `[SECRET]`."""

    type: Literal["secrets"]
    kinds: tuple[Kind, ...] = Field(
        KINDS, min_length=1, description="What is looked for; every kind, if left out."
    )
    excluded: tuple[Kind, ...] = Field(
        (), alias="except", description="Kinds that are not looked for."
    )
    entropy: float = Field(
        2.75,
        ge=0,
        le=6,
        description="Bits a character from which a value that is assigned to a name counts.",
    )

    @model_validator(mode="after")
    def _something_left(self) -> Parameters:
        if not set(self.kinds) - set(self.excluded):
            raise ValueError("a kind in kinds that is not in except")
        return self


def build(parameters: Parameters) -> Matcher:
    """A matcher that yields each secret where it stands, no two of them in one place."""
    kinds = set(parameters.kinds) - set(parameters.excluded)
    scanner = Scanner(kinds, parameters.entropy)

    def find(text: Normalised, _scene: Scene) -> Iterable[Finding]:
        return scanner.find(text.source)

    return Matcher(find)

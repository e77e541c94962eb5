"""What every check has in common: its part of a policy file, and what it finds.

A check type is a file in ``checks/`` with two names: ``Parameters``, a subclass of ``Check`` whose
``type`` is the name that policies use, and ``build``, which makes a ``Matcher`` of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.manifest.closed import Closed
from ai_gateway.manifest.units import Name

Stage = Literal["input", "output", "tool"]
Action = Literal["block", "flag"]
Mode = Literal["enforce", "observe"]

#: Actions that policies will have; one that is used now stops the start.
LATER = {"redact", "route"}


def _not_later(value: object) -> object:
    if isinstance(value, str) and value in LATER:
        raise ValueError(f"block or flag ({value} comes with a later version)")
    return value


class Check(Closed):
    """What every check of a policy says, whatever its type."""

    name: Name
    type: str
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)] = Field(
        description="What is checked: the request, the answer, what tools said."
    )
    action: Annotated[Action, BeforeValidator(_not_later)] = Field(
        description="What a finding does: refuse, or only mark."
    )
    mode: Mode = Field(
        "enforce", description="`observe` records findings and lets everything pass."
    )
    threshold: float = Field(
        0.5, gt=0, le=1, description="The score from which on a finding counts."
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: the rule, how sure it is (0..1), and where in the text as sent.

    Below the check's threshold only the score is used.
    """

    rule: str
    score: float
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Matcher:
    """A compiled check: how it finds, and the words it needs to see whole."""

    find: Callable[[Normalised], Iterable[Finding]]
    vocabulary: frozenset[str] = frozenset()

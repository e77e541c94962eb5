"""What every check has in common: its part of a policy file, and what it finds.

A check type is a file in ``checks/`` with two names: ``Parameters``, a subclass of ``Check`` whose
``type`` is the name that policies use, and ``build``, which makes a ``Matcher`` of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.scene import Scene
from ai_gateway.manifest.closed import Closed
from ai_gateway.manifest.units import Name

Stage = Literal["input", "system", "tool", "output"]
Action = Literal["block", "redact", "flag", "route"]
Mode = Literal["enforce", "observe"]


class Check(Closed):
    """What every check of a policy says, whatever its type."""

    #: Whether its findings have a place in a text.
    places: ClassVar[bool] = True

    name: Name
    type: str
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)] = Field(
        description="What is checked: what the caller says, the system prompt, what tools and"
        " documents say, the answer."
    )
    action: Action = Field(
        description="What a finding does: refuse, put a placeholder in its place, only mark, or"
        " have another model answer."
    )
    route_to: Name | None = Field(None, description="The model that answers, for action `route`.")
    mode: Mode = Field(
        "enforce", description="`observe` records findings and lets everything pass."
    )
    threshold: float = Field(
        0.5, gt=0, le=1, description="The score from which on a finding counts."
    )
    on_error: Literal["closed", "open"] = Field(
        "closed", description="Whether a check that fails refuses the request, or lets it pass."
    )

    @model_validator(mode="after")
    def _routed_somewhere(self) -> Check:
        if (self.action == "route") != (self.route_to is not None):
            raise ValueError("action: route together with route_to: MODEL, or neither")
        if self.action == "route" and "output" in self.stages:
            raise ValueError("stages without output: an answer has its model already")
        if self.action == "redact" and not self.places:
            raise ValueError("action: block, flag or route: this check finds no place to redact")
        return self

    def prepare(self, _bundle: Path, /) -> Iterable[tuple[str, str]]:
        """Read what it needs of the bundle's other files.

        What is wrong comes back as pairs: a key of the check, and what would be right there.
        """
        return ()


class AnswerCheck(Check):
    """A check that only an answer can be held to."""

    @field_validator("stages")
    @classmethod
    def _of_answers(cls, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
        if stages != ("output",):
            raise ValueError("stages: [output]")
        return stages


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: the rule, how sure it is (0..1), and where in the text as sent.

    Below the check's threshold only the score is used. ``kind`` names what a redaction leaves in
    its place (``EMAIL``); the check does where it is left out. No place (0, 0) is the whole text.
    """

    rule: str
    score: float
    start: int
    end: int
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Matcher:
    """A compiled check: how it finds, and the words it needs to see whole.

    A check has one of two: ``find`` looks at one text, wherever it stands; ``weigh`` looks once at
    all texts of a stage together, and its findings have no place. A ``remote`` one asks a model,
    and is asked last, when nothing else refused.
    """

    find: Callable[[Normalised, Scene], Iterable[Finding]] | None = None
    weigh: Callable[[Scene, Stage], Iterable[Finding]] | None = None
    remote: bool = False
    vocabulary: frozenset[str] = frozenset()
    #: Whether ``find`` looks at the scene, too: what it finds in a text may differ next time.
    around: bool = False
    #: Models of the bundle that it asks.
    models: frozenset[str] = frozenset()

"""``patterns``: regular expressions of an operator, in RE2's linear time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from ai_gateway.guardrails.check import Check, Finding, Matcher
from ai_gateway.guardrails.linear import compiled, searchable
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.scene import Scene
from ai_gateway.manifest.closed import Closed
from ai_gateway.manifest.units import Name, matching

#: Bytes for the program of one expression and what RE2 remembers of it.
_MEMORY = 2 << 20
#: Of one pattern in one text; a last finding takes what comes behind them.
_MOST_FOUND = 10_000


def _sound(regex: str) -> str:
    try:
        pattern = compiled(regex, max_memory=_MEMORY)
    except ValueError as error:
        raise ValueError(f"a regular expression that RE2 reads ({error})") from None
    if pattern.search(""):
        raise ValueError("a regular expression that does not match an empty text")
    return regex


Regex = Annotated[str, StringConstraints(min_length=1, max_length=1_000), AfterValidator(_sound)]
_KIND = "[A-Z][A-Z0-9_]{0,63}"
Kind = Annotated[
    str,
    BeforeValidator(matching(_KIND, "a name of at most 64 of A-Z, 0-9 and underscore")),
    WithJsonSchema({"type": "string", "pattern": f"^{_KIND}$"}),
]


class Pattern(Closed):
    """A regular expression; a finding's rule is its ``name``."""

    name: Name
    regex: Regex = Field(description="As https://github.com/google/re2/wiki/Syntax has it.")
    score: float = Field(1.0, gt=0, le=1)
    ignore_case: bool = True
    kind: Kind | None = Field(None, description="What a redaction leaves: EMPLOYEE_NUMBER.")


class Parameters(Check):
    """Every place at which one of ``patterns`` matches; of one pattern, none overlap."""

    type: Literal["patterns"]
    patterns: Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=200)]
    folded: bool = Field(
        default=False,
        description="Look at the text in lower case, without accents, invisible characters and"
        " look-alikes, not as it was sent.",
    )


def build(parameters: Parameters) -> Matcher:
    """A matcher that yields every match of each pattern, with the pattern's score."""
    patterns = [
        (pattern, compiled(pattern.regex, ignore_case=pattern.ignore_case, max_memory=_MEMORY))
        for pattern in parameters.patterns
    ]

    def find(text: Normalised, _scene: Scene) -> Iterator[Finding]:
        looked_at = searchable(text.folded if parameters.folded else text.source)
        for pattern, expression in patterns:
            for start, end in _matches(expression, looked_at):
                place = text.place(start, end) if parameters.folded else (start, end)
                yield Finding(pattern.name, pattern.score, *place, pattern.kind or "")

    return Matcher(find)


def _matches(expression: Any, text: str) -> Iterator[tuple[int, int]]:
    """The places that match, but for empty ones; what is behind too many of them is one more."""
    for count, match in enumerate(expression.finditer(text)):
        start, end = match.span()
        if count == _MOST_FOUND:
            yield start, len(text)
            return
        if start < end:
            yield start, end

"""What the check finds of some types in a text."""

from functools import cache

from ai_gateway.guardrails.check import Finding, Matcher
from ai_gateway.guardrails.checks import build, pii
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.pii.types import TYPES
from ai_gateway.guardrails.scene import NOTHING
from ai_gateway.guardrails.vocabulary import Vocabulary

NO_WORDS = Vocabulary(())


@cache
def matcher(types: tuple[str, ...] = TYPES, region: str = "US") -> Matcher:
    """A check for ``types``, made once."""
    return build(
        pii.Parameters(
            name="pii",
            type="pii",
            stages=("input",),
            action="redact",
            types=types,
            region=region,
        )
    )


def findings(text: str, *types: str, region: str = "US") -> list[Finding]:
    """All findings of ``types`` (every one if none is named), also unsure ones."""
    find = matcher(types or TYPES, region).find
    assert find
    return list(find(Normalised(text, NO_WORDS), NOTHING))


def found(text: str, *types: str, region: str = "US") -> list[tuple[str, str]]:
    """What counts at the usual threshold: each type with what stands in the text."""
    return [
        (finding.rule, text[finding.start : finding.end])
        for finding in findings(text, *types, region=region)
        if finding.score >= 0.5
    ]


def wide(text: str) -> str:
    """``text`` in full-width characters."""
    return "".join(chr(ord(sign) + 0xFEE0) for sign in text)

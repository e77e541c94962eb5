"""``content_safety``: harm of 23 kinds, as a content safety model of NVIDIA rates it."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ai_gateway.guardrails.check import Finding, Matcher, Stage
from ai_gateway.guardrails.remote import safety
from ai_gateway.guardrails.remote.asking import Asker
from ai_gateway.guardrails.remote.conversation import exchanges
from ai_gateway.guardrails.remote.parameters import Remote
from ai_gateway.guardrails.scene import Scene

_FORMATS = {
    "nemoguard": safety.nemoguard,
    "messages": safety.messages,
    "reasoning": safety.reasoning,
}


def _known(name: str) -> str:
    if name not in safety.CATEGORIES:
        raise ValueError(f"one of: {', '.join(safety.CATEGORIES)}")
    return name


class Parameters(Remote):
    """The rule is the category. The request is shown with the answer that is rated."""

    type: Literal["content_safety"]
    categories: Annotated[
        tuple[Annotated[str, AfterValidator(_known)], ...], Field(min_length=1)
    ] = Field(safety.CATEGORIES, description="Which count; all if left out.")
    format: Literal["nemoguard", "messages", "reasoning"] = Field(
        "nemoguard", description="How the model is asked: its card says which prompt it knows."
    )


def build(parameters: Parameters) -> Matcher:
    """A matcher that asks once for all texts of a stage."""
    asker = Asker(parameters)
    form = _FORMATS[parameters.format]

    def weigh(scene: Scene, stage: Stage) -> list[Finding]:
        pairs = exchanges(scene, stage, parameters.max_characters)
        read = partial(safety.verdict, stage=stage, counted=parameters.categories)
        return asker.findings(scene, [form(*pair) for pair in pairs], read)

    return Matcher(weigh=weigh, remote=True, models=frozenset({parameters.model}))

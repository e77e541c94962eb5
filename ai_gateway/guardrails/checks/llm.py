"""``llm``: a rule in the operator's own words, which any language model applies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from pydantic import Field

from ai_gateway.guardrails.check import Finding, Matcher, Stage
from ai_gateway.guardrails.remote.asking import Asker, Verdict
from ai_gateway.guardrails.remote.conversation import exchanges
from ai_gateway.guardrails.remote.prompted import Prompted, score
from ai_gateway.guardrails.scene import Scene
from ai_gateway.manifest.units import Name

_PLACE: Final = "{{instructions}}"


class Parameters(Prompted):
    """The model says how surely a text breaks a rule. The finding's rule is the prompt's name."""

    type: Literal["llm"]
    prompt: Name = Field("policy-check.v1", description="judge_prompts/NAME.md, without .md")
    instructions: str = Field(
        "", max_length=20_000, description="What is forbidden, for a prompt with a place for it."
    )

    def unfit(self, template: str) -> Iterator[tuple[str, str]]:
        """Instructions without a place, and a place without instructions."""
        yield from super().unfit(template)
        if _PLACE in template and not self.instructions.strip():
            yield "instructions", f"what is forbidden, since {self.prompt} asks for it"
        if _PLACE not in template and self.instructions:
            yield "instructions", f"none, since {self.prompt} has no place for them"


def build(parameters: Parameters) -> Matcher:
    """A matcher that asks once for all texts of a stage, with the request beside an answer."""
    asker = Asker(parameters)
    # Told here and not at the first request, where it was not prepared.
    parameters.template  # noqa: B018 - it raises, here and not at the first request

    def read(reply: Mapping[str, Any]) -> Verdict:
        return ((parameters.prompt, score(reply)),)

    def weigh(scene: Scene, stage: Stage) -> list[Finding]:
        pairs = exchanges(scene, stage, parameters.max_characters)
        # What is judged is the prompt's answer; what is said has no question before it.
        shown = [("", said) if answer is None else (said, answer) for said, answer in pairs]
        bodies = [
            parameters.body(parameters.instructions, question=question, answer=answer)
            for question, answer in shown
        ]
        return asker.findings(scene, bodies, read)

    return Matcher(weigh=weigh, remote=True, models=frozenset({parameters.model}))

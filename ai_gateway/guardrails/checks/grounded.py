"""``grounded``: how much of an answer its documents do not say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from ai_gateway.guardrails.check import Finding, Matcher, Stage
from ai_gateway.guardrails.remote.asking import Asker, TooLong, Verdict
from ai_gateway.guardrails.remote.conversation import together
from ai_gateway.guardrails.remote.prompted import Prompted, score
from ai_gateway.guardrails.scene import Scene
from ai_gateway.manifest.units import Name


class Parameters(Prompted):
    """The score is the share of the answer that no document supports."""

    type: Literal["grounded"]
    prompt: Name = Field("groundedness.v1", description="judge_prompts/NAME.md, without .md")
    max_characters: int = Field(
        100_000,
        ge=500,
        le=1_000_000,
        description="Of documents, question and answer together; beyond it the check fails.",
    )

    @model_validator(mode="after")
    def _of_answers(self) -> Parameters:
        if self.stages != ("output",):
            raise ValueError("stages: [output]; documents are what the request holds of stage tool")
        return self

    def unfit(self, template: str) -> Iterator[tuple[str, str]]:
        """A prompt that does not show the documents."""
        if "{{documents}}" not in template:
            yield "prompt", "a prompt with {{documents}}, as groundedness.v1 is"


def build(parameters: Parameters) -> Matcher:
    """A matcher that asks once, where a request had documents."""
    asker = Asker(parameters)
    parameters.template  # noqa: B018 - told here and not at the first request

    def weigh(scene: Scene, _stage: Stage) -> list[Finding]:
        documents, answer = together(scene, "tool"), together(scene, "output")
        if not documents.strip() or not answer.strip():
            return []
        question = together(scene, "input")
        if len(documents) + len(question) + len(answer) > parameters.max_characters:
            # A part of the documents supports a part of the answer: the rest would look invented.
            raise TooLong(f"more than {parameters.max_characters} characters")
        body = parameters.body(documents=documents, question=question, answer=answer)
        return asker.findings(scene, [body], _read)

    return Matcher(weigh=weigh, remote=True, models=frozenset({parameters.model}))


def _read(reply: Mapping[str, Any]) -> Verdict:
    """The prompt asks for the share that is supported."""
    return (("unsupported", 1 - score(reply)),)

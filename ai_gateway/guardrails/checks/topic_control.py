"""``topic_control``: whether a conversation stays with its subject, by NVIDIA's TopicControl."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints, model_validator

from ai_gateway.guardrails.check import Finding, Matcher, Stage
from ai_gateway.guardrails.remote.asking import Asker, Body, Verdict
from ai_gateway.guardrails.remote.conversation import Turn, together, turns, windows
from ai_gateway.guardrails.remote.fence import disarmed
from ai_gateway.guardrails.remote.parameters import Remote
from ai_gateway.guardrails.remote.reading import Unreadable, conclusion
from ai_gateway.guardrails.scene import Scene

#: The model was trained with this sentence behind every policy.
CLOSING: Final = (
    'If any of the above conditions are violated, please respond with "off-topic". Otherwise,'
    ' respond with "on-topic". You must respond with "on-topic" or "off-topic".'
)
Topic = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class Parameters(Remote):
    """What the user says last is judged, in the light of what was said before."""

    type: Literal["topic_control"]
    instructions: str = Field(
        "", max_length=20_000, description="What may be spoken of and what not, in sentences."
    )
    topics: tuple[Topic, ...] = Field(
        (), max_length=100, description="What alone may be spoken of, beside greetings."
    )

    @model_validator(mode="after")
    def _says_what(self) -> Parameters:
        if not self.instructions.strip() and not self.topics:
            raise ValueError("instructions, topics or both")
        if self.stages != ("input",):
            raise ValueError("stages: [input]; the model judges what a user says")
        return self


def build(parameters: Parameters) -> Matcher:
    """A matcher that asks once, with the whole conversation."""
    asker = Asker(parameters)
    policy = _policy(parameters)

    def weigh(scene: Scene, _stage: Stage) -> list[Finding]:
        conversations = _conversations(scene, parameters.max_characters)
        return asker.findings(scene, [_body(policy, each) for each in conversations], _read)

    return Matcher(weigh=weigh, remote=True, models=frozenset({parameters.model}))


def _policy(parameters: Parameters) -> str:
    listed = "\n".join(f"- {topic}" for topic in parameters.topics)
    allowed = f"The user may speak of these topics only, and exchange greetings:\n{listed}"
    parts = (parameters.instructions.strip(), allowed if listed else "", CLOSING)
    return "\n\n".join(filter(None, parts))


def _conversations(scene: Scene, room: int) -> list[list[Turn]]:
    """The conversation; one that is too long in parts, each of which is judged."""
    held = turns(scene)
    if not held or sum(len(text) for _, text in held) <= room:
        return [held] if held else []
    return [[("user", part)] for part in windows(together(scene, "input"), room)]


def _body(policy: str, held: Sequence[Turn]) -> Body:
    said = [{"role": role, "content": disarmed(text)} for role, text in held]
    messages = [{"role": "system", "content": policy}, *said]
    return {"messages": messages, "temperature": 0.01, "max_tokens": 10}


def _read(reply: Mapping[str, Any]) -> Verdict:
    said = conclusion(reply).strip(" \"'.").casefold()
    if said not in ("on-topic", "off-topic"):
        raise Unreadable("neither on-topic nor off-topic")
    return (("off-topic", 1.0),) if said == "off-topic" else ()

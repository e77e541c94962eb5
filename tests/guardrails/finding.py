"""What one check finds in one text."""

from ai_gateway.guardrails.check import Check, Finding, Stage
from ai_gateway.guardrails.checks import build
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.scene import NOTHING, Scene
from ai_gateway.guardrails.vocabulary import Vocabulary


def findings(
    parameters: Check, text: str, scene: Scene = NOTHING, stage: Stage = "input"
) -> list[Finding]:
    """The findings of a check that looks at one text."""
    matcher = build(parameters)
    assert matcher.find
    said = Normalised(text, Vocabulary(matcher.vocabulary), stage)
    return list(matcher.find(said, scene))


def weighed(parameters: Check, scene: Scene, stage: Stage = "input") -> list[Finding]:
    """The findings of a check that weighs a stage's texts together."""
    matcher = build(parameters)
    assert matcher.weigh
    return list(matcher.weigh(scene, stage))

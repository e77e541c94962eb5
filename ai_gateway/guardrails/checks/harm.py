"""``harm``: requests for help with something harmful, by a linear classifier on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from ai_gateway.guardrails.check import Check, Finding, Matcher
from ai_gateway.guardrails.classifier import model
from ai_gateway.guardrails.classifier.finding import finding
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.scene import Scene


class Parameters(Check):
    """One finding a text: the part that most reads like a request for help with harm.

    The default `threshold` of 0.5 is where training had 0.75 % false alarms on honest prompts.
    """

    type: Literal["harm"]


def build(parameters: Parameters) -> Matcher:
    """A matcher that yields one finding for every text with a word in it."""
    classifier = model.load("harm")

    def find(text: Normalised, _scene: Scene) -> Iterator[Finding]:
        yield finding("harm", classifier.score(text), text, parameters.threshold)

    return Matcher(find)

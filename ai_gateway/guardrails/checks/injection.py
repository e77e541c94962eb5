"""``injection``: prompt injections and jailbreaks, by a linear classifier on this machine."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from ai_gateway.guardrails.check import Check, Finding, Matcher
from ai_gateway.guardrails.classifier import model
from ai_gateway.guardrails.classifier.finding import finding
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.scene import Scene


class Parameters(Check):
    """One finding a text: the part that most reads like an attack on the model.

    The default `threshold` of 0.5 is where training had 1 % false alarms on honest prompts.
    """

    type: Literal["injection"]
    tool_threshold: float = Field(
        0.3,
        gt=0,
        lt=1,
        description="The score from which on a text of a tool or a document counts, which has no"
        " business to instruct. Its scores are raised to a power, so that this one becomes"
        " `threshold`.",
    )


def build(parameters: Parameters) -> Matcher:
    """A matcher that yields one finding for every text with a word in it."""
    classifier = model.load("injection")
    stricter = _power(parameters.tool_threshold, parameters.threshold)

    def find(text: Normalised, _scene: Scene) -> Iterator[Finding]:
        scored = classifier.score(text)
        if text.stage == "tool":
            scored = scored._replace(score=scored.score**stricter)
        yield finding("injection", scored, text, parameters.threshold)

    return Matcher(find)


def _power(strict: float, threshold: float) -> float:
    """The power that turns ``strict`` into ``threshold``; never one that makes a score smaller."""
    if threshold == 1:  # only what is certain counts, and no power leads there
        return 1.0
    return min(1.0, math.log(threshold) / math.log(strict))

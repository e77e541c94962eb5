"""What a classifier's score is as a check's finding."""

from __future__ import annotations

from ai_gateway.guardrails.check import Finding
from ai_gateway.guardrails.classifier.model import Scored
from ai_gateway.guardrails.normalise import Normalised


def finding(rule: str, scored: Scored, text: Normalised, threshold: float) -> Finding:
    """One finding of ``rule``, which names the placeholder, too.

    Where it stands is worked out for what counts only.
    """
    score, first, last = scored
    place = text.span(first, last) if score >= threshold else (0, 0)
    return Finding(rule, score, *place, rule.upper())

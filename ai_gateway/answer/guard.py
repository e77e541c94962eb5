"""Stages 1 and 4: what the guardrail policies say of the question and of the answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ai_gateway.answer.beside import beside
from ai_gateway.answer.record import Decision
from ai_gateway.errors import PolicyViolation
from ai_gateway.guardrails.engine import Guardrails, Inspection, Text
from ai_gateway.manifest.model import Route


@dataclass(frozen=True, slots=True)
class Guard:
    """Applies the policies of one bundle, and notes in the decision what they said."""

    policies: Guardrails

    def enforce(self, texts: Sequence[Text], decision: Decision) -> None:
        """Let ``texts`` pass or raise PolicyViolation; what the caller sent is noted either way."""
        if decision.input is None:
            decision.input = "\n".join(text.text for text in texts)
        inspection = inspect(self.policies, texts, decision.event.route.guardrails)
        decision.verdicts.extend(inspection.verdicts)
        try:
            enforce(inspection)
        except PolicyViolation:
            decision.selection = decision.selection or "guardrail"
            raise

    def answer(self, text: str, events: Iterable[Mapping[str, Any]], decision: Decision) -> None:
        """The same for an answer: its text, and what else its ``events`` show the caller."""
        texts = [Text(text, "output")]
        if self.reads("output", decision.event.route) and (more := beside(events, text)):
            texts.append(Text(more, "output"))
        self.enforce(texts, decision)

    def reads(self, stage: str, route: Route) -> bool:
        """Whether a policy of ``route`` looks at texts of ``stage``."""
        return self.policies.guards(stage, route.guardrails)


def strings(value: object) -> Iterator[str]:
    """Every string of a JSON value, keys too: a proxied body has no shape that is known."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            stack.extend(item.values())
            stack.extend(item)
        elif isinstance(item, Sequence):
            stack.extend(item)


def enforce(inspection: Inspection) -> None:
    """Raise PolicyViolation where the policies block; says which, not how to get round it."""
    if inspection.action != "block":
        return
    verdict = next(
        found
        for found in inspection.verdicts
        if found.action == "block" and found.mode == "enforce"
    )
    what = "answer" if verdict.stage == "output" else "request"
    raise PolicyViolation(f"The {what} violates policy {verdict.policy} ({verdict.check}).")


def inspect(policies: Guardrails, found: Sequence[Text], names: Sequence[str] | None) -> Inspection:
    """What the policies of a route say; without any, everything passes."""
    if not found or not (policies.names if names is None else names):
        return Inspection(action="allow", verdicts=(), scores={})
    return policies.inspect(found, names)

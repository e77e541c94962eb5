"""The policy engine: what the policies of a bundle say of the texts of a request or an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ai_gateway.guardrails import policy as policy_files
from ai_gateway.guardrails.check import Check, Matcher
from ai_gateway.guardrails.checks import build
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.policy import Policy
from ai_gateway.guardrails.vocabulary import Vocabulary
from ai_gateway.manifest.problem import Problem

#: From the weakest to the strongest.
_STRENGTH = ("allow", "flag", "block")


@dataclass(frozen=True, slots=True)
class Text:
    """One piece of a request or an answer, and its stage: input, output or tool."""

    text: str
    stage: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """One finding of one check: the columns of ``records.schema.VERDICT``.

    ``start`` and ``end`` are characters into the text as it was sent; ``score`` is 0..1.
    """

    policy: str
    check: str
    rule: str
    stage: str
    action: str
    mode: str
    score: float
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the policies say: the strongest enforced action, and why.

    ``action`` is allow, flag or block; an observed verdict never changes it. ``scores`` has every
    check that was run with its highest score, also where that stays below the threshold.
    """

    action: str
    verdicts: tuple[Verdict, ...]
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Compiled:
    policy: str
    check: Check
    matcher: Matcher

    def verdict(self, rule: str, stage: str, score: float, start: int, end: int) -> Verdict:
        check = self.check
        return Verdict(
            self.policy, check.name, rule, stage, check.action, check.mode, score, start, end
        )


class Guardrails:
    """All policies of a bundle, compiled. Immutable, and safe to share between threads."""

    __slots__ = ("_by_policy", "_vocabulary", "digest", "names")

    def __init__(self, policies: Sequence[Policy]) -> None:
        self._by_policy = {
            policy.name: tuple(
                _Compiled(policy.name, check, build(check)) for check in policy.checks
            )
            for policy in policies
        }
        compiled = [check for checks in self._by_policy.values() for check in checks]
        words = frozenset[str]().union(*(check.matcher.vocabulary for check in compiled))
        self._vocabulary = Vocabulary(words)
        self.names = tuple(self._by_policy)
        #: Of the policies' content: the record's ``policies_hash``.
        self.digest = policy_files.digest(policies)

    def guards(self, stage: str, policies: Sequence[str] | None = None) -> bool:
        """Whether any check of ``policies`` (all, if None) reads texts of ``stage``."""
        names = self.names if policies is None else policies
        return any(
            stage in compiled.check.stages for name in names for compiled in self._by_policy[name]
        )

    def inspect(self, texts: Sequence[Text], policies: Sequence[str] | None = None) -> Inspection:
        """What ``policies`` (all, if None) say of ``texts``; KeyError for a name there is not."""
        names = self.names if policies is None else dict.fromkeys(policies)
        checks = [check for name in names for check in self._by_policy[name]]
        verdicts: list[Verdict] = []
        scores: dict[str, float] = {}
        for text in texts:
            due = [compiled for compiled in checks if text.stage in compiled.check.stages]
            if due:
                verdicts += self._inspect(text, due, scores)
        enforced = (verdict.action for verdict in verdicts if verdict.mode == "enforce")
        action = max(enforced, key=_STRENGTH.index, default="allow")
        return Inspection(action, tuple(verdicts), scores)

    def _inspect(
        self, text: Text, due: Sequence[_Compiled], scores: dict[str, float]
    ) -> Iterator[Verdict]:
        normalised = Normalised(text.text, self._vocabulary)
        for compiled in due:
            check = compiled.check
            highest = scores.get(check.name, 0.0)
            for found in compiled.matcher.find(normalised):
                highest = max(highest, found.score)
                if found.score >= check.threshold:
                    yield compiled.verdict(
                        found.rule, text.stage, found.score, found.start, found.end
                    )
            scores[check.name] = highest


def load(folder: Path) -> tuple[Guardrails, list[Problem]]:
    """The policies in ``folder``, compiled, and all that is wrong with its files.

    What comes back with problems lacks the policies that have them, and must not be served.
    """
    policies, problems = policy_files.read(folder)
    return Guardrails(policies), problems

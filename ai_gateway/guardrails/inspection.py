"""What policies say of texts: verdicts, places to redact, and the action that all come to."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ai_gateway.guardrails.check import Check, Finding, Matcher, Stage

log = logging.getLogger(__name__)

#: From the weakest to the strongest.
_STRENGTH = ("allow", "flag", "redact", "route", "block")
STAGES: tuple[Stage, ...] = ("input", "system", "tool", "output")
#: Of one check in one text; what is redacted is not bounded.
_MOST_VERDICTS = 100
#: The rule of a check that failed.
FAILED = "check-failed"


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
class Redaction:
    """A place in a text that a placeholder of ``kind`` takes."""

    text: str
    start: int
    end: int
    kind: str


@dataclass(slots=True)
class Inspection:
    """What the policies say: the strongest enforced action, and why.

    ``action`` is allow, flag, redact, route or block; an observed verdict never changes it.
    ``scores`` has every check that was run with its highest score, also where that stays below the
    threshold. ``failed`` are checks that could not be run, ``unsure`` whether one of them is to
    refuse then.
    """

    action: str = "allow"
    verdicts: list[Verdict] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)
    redactions: list[Redaction] = field(default_factory=list)
    route_to: str | None = None
    failed: list[str] = field(default_factory=list)
    unsure: bool = False

    def act(self, check: Check) -> None:
        """One more enforced finding of ``check``."""
        if check.action == "route":
            self.route_to = self.route_to or check.route_to
        if _STRENGTH.index(check.action) > _STRENGTH.index(self.action):
            self.action = check.action


@dataclass(frozen=True, slots=True)
class Compiled:
    """A check of a policy, ready to run."""

    policy: str
    check: Check
    matcher: Matcher

    @property
    def redacts(self) -> bool:
        """Whether it puts placeholders into texts."""
        return self.check.action == "redact" and self.check.mode == "enforce"

    def everywhere(self) -> Compiled:
        """The same, enforced in every stage."""
        changed = {"stages": STAGES, "mode": "enforce"}
        return replace(self, check=self.check.model_copy(update=changed))

    def note(self, stage: str, findings: Iterable[Finding], text: str, found: Inspection) -> None:
        """Add what the check finds in ``text`` to what was ``found`` before."""
        check, noted = self.check, 0
        if not findings:
            found.scores.setdefault(check.name, 0.0)
            return
        highest = found.scores.get(check.name, 0.0)
        for finding in findings:
            highest = max(highest, finding.score)
            if finding.score < check.threshold:
                continue
            if noted < _MOST_VERDICTS:
                found.verdicts.append(self._verdict(stage, finding))
                noted += 1
            if check.mode == "enforce":
                found.act(check)
                if check.action == "redact":
                    kind = finding.kind or check.name  # a rule may be the very words
                    end = finding.end or len(text)
                    found.redactions.append(Redaction(text, finding.start, end, kind))
        found.scores[check.name] = highest

    def failed(self, stage: str, error: Exception, found: Inspection) -> None:
        """The check could not be run: that refuses, or is only noted."""
        # Its message may hold the text.
        where = f"{self.policy}/{self.check.name}"
        log.error("guardrail check %s failed (%s)", where, type(error).__name__)
        check = self.check
        closed = check.on_error == "closed" and check.mode == "enforce"
        action = "block" if closed else "flag"
        found.failed.append(where)
        found.verdicts.append(
            Verdict(self.policy, check.name, FAILED, stage, action, check.mode, 1.0, 0, 0)
        )
        if closed:
            found.action, found.unsure = "block", True

    def _verdict(self, stage: str, finding: Finding) -> Verdict:
        check, score = self.check, finding.score
        place = finding.start, finding.end
        return Verdict(
            self.policy, check.name, finding.rule, stage, check.action, check.mode, score, *place
        )

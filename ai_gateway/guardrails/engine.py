"""The policy engine: what the policies of a bundle say of the texts of a request or an answer."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, reduce
from pathlib import Path

from ai_gateway.guardrails import policy as policy_files
from ai_gateway.guardrails.check import Check, Finding, Matcher, Stage
from ai_gateway.guardrails.checks import build
from ai_gateway.guardrails.policy import Policy, Streaming
from ai_gateway.guardrails.reading import Reading
from ai_gateway.guardrails.scene import NOTHING, Scene, Text
from ai_gateway.guardrails.vocabulary import Vocabulary
from ai_gateway.manifest.problem import Problem

log = logging.getLogger(__name__)

#: From the weakest to the strongest.
_STRENGTH = ("allow", "flag", "redact", "route", "block")
_STAGES: tuple[Stage, ...] = ("input", "system", "tool", "output")
#: Of one check in one text; what is redacted is not bounded.
_MOST_VERDICTS = 100
#: The rule of a check that failed.
FAILED = "check-failed"
#: Choices of policies remembered: each route's, and what callers of `/guardrail` name.
_CHOICES = 256


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
class _Compiled:
    policy: str
    check: Check
    matcher: Matcher

    @property
    def redacts(self) -> bool:
        """Whether it puts placeholders into texts."""
        return self.check.action == "redact" and self.check.mode == "enforce"

    def everywhere(self) -> _Compiled:
        """The same, enforced in every stage."""
        changed = {"stages": _STAGES, "mode": "enforce"}
        return replace(self, check=self.check.model_copy(update=changed))

    def note(self, stage: str, findings: Iterable[Finding], text: str, found: Inspection) -> None:
        """Add what the check finds in ``text`` to what was ``found`` before."""
        check, highest = self.check, found.scores.get(self.check.name, 0.0)
        noted = 0
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

    def fail(self, stage: str, found: Inspection) -> None:
        """The check could not be run: that refuses, or is only noted."""
        check = self.check
        closed = check.on_error == "closed" and check.mode == "enforce"
        action = "block" if closed else "flag"
        found.failed.append(f"{self.policy}/{check.name}")
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


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The checks of some policies, and what each request asks of them, worked out once."""

    checks: tuple[_Compiled, ...]
    redacting: tuple[_Compiled, ...]
    weighing: tuple[_Compiled, ...]
    #: The stages whose texts are read, and those into whose texts placeholders are put.
    read: frozenset[str]
    redacted: frozenset[str]

    @classmethod
    def of(cls, checks: tuple[_Compiled, ...]) -> _Chosen:
        """All of ``checks``."""
        redacting = tuple(compiled for compiled in checks if compiled.redacts)
        weighing = tuple(compiled for compiled in checks if compiled.matcher.weigh)
        return cls(checks, redacting, weighing, _stages_of(checks), _stages_of(redacting))


def _stages_of(checks: Iterable[_Compiled]) -> frozenset[str]:
    return frozenset(stage for compiled in checks for stage in compiled.check.stages)


class Guardrails:
    """All policies of a bundle, compiled. Immutable, and safe to share between threads."""

    __slots__ = ("_always", "_by_policy", "_choice", "_vocabulary", "digest", "names", "policies")

    def __init__(self, policies: Sequence[Policy]) -> None:
        self._by_policy = {
            policy.name: tuple(
                _Compiled(policy.name, check, build(check)) for check in policy.checks
            )
            for policy in policies
        }
        #: The checks that redact, as if they were enforced everywhere: for the record.
        self._always = {
            name: tuple(each.everywhere() for each in checks if each.check.action == "redact")
            for name, checks in self._by_policy.items()
        }
        compiled = [check for checks in self._by_policy.values() for check in checks]
        words = frozenset[str]().union(*(check.matcher.vocabulary for check in compiled))
        self._vocabulary = Vocabulary(words)
        self.policies = {policy.name: policy for policy in policies}
        self.names = tuple(self._by_policy)
        #: Of the policies' content: the record's ``policies_hash``.
        self.digest = policy_files.digest(policies)
        self._choice = lru_cache(maxsize=_CHOICES)(self._chosen)

    def guards(self, stage: str, policies: Sequence[str] | None = None) -> bool:
        """Whether any check of ``policies`` (all, if None) reads texts of ``stage``."""
        return stage in self._of(policies).read

    def models(self) -> Iterator[tuple[str, str, str, bool]]:
        """Each model that a check asks (True) or routes to, behind the policy and the check."""
        for compiled in self._of(None).checks:
            for model in sorted(compiled.matcher.models):
                yield compiled.policy, compiled.check.name, model, True
            if compiled.check.route_to:
                yield compiled.policy, compiled.check.name, compiled.check.route_to, False

    def redacts(self, stage: str, policies: Sequence[str] | None = None) -> bool:
        """Whether a check that is enforced puts placeholders into texts of ``stage``."""
        return stage in self._of(policies).redacted

    def streaming(self, policies: Sequence[str] | None = None) -> Streaming:
        """How a stream is checked by all of ``policies`` that read answers."""
        names = {
            check.policy for check in self._of(policies).checks if "output" in check.check.stages
        }
        declared = [self.policies[name].stream for name in sorted(names)]
        return reduce(Streaming.stricter, declared) if declared else Streaming()

    def redacting(self, policies: Sequence[str] | None = None) -> bool:
        """Whether ``policies`` have a check whose action is ``redact``, in any mode."""
        return any(compiled.check.action == "redact" for compiled in self._of(policies).checks)

    def places(self, text: str, policies: Sequence[str] | None = None) -> list[Redaction]:
        """What the ``redact`` checks of ``policies`` find in ``text``, of any stage or mode."""
        found = Inspection()
        names = self.names if policies is None else policies
        always = [compiled for name in names for compiled in self._always[name]]
        self._read(Text(text, "input"), always, NOTHING, found)
        if found.failed:
            return [Redaction(text, 0, len(text), "UNREAD")]
        return found.redactions

    def inspect(
        self,
        texts: Sequence[Text],
        policies: Sequence[str] | None = None,
        scene: Scene | None = None,
        *,
        weigh: bool = True,
    ) -> Inspection:
        """What ``policies`` (all, if None) say of ``texts``; KeyError for a name there is not.

        Where there is no ``scene``, the texts are all that is known. Without ``weigh`` only checks
        that look at one text by itself are run, as for a part of an answer.
        """
        found = Inspection()
        checks = self._of(policies).checks
        if not checks:
            return found
        around = Scene(texts) if scene is None else scene
        for text in texts:
            self._read(text, checks, around, found)
        if weigh:
            self.weigh(texts, policies, around, found)
        return found

    def weigh(
        self,
        texts: Sequence[Text],
        policies: Sequence[str] | None,
        scene: Scene,
        found: Inspection,
    ) -> None:
        """Add to ``found`` what the checks say that look at all of ``texts`` together."""
        weighing = self._of(policies).weighing
        if weighing:
            stages = {text.stage for text in texts}
            if scene.request and "output" not in stages:
                stages.add("input")  # a request says something by its parameters, too
            self._weigh(weighing, stages, scene, found)

    def redact(
        self, texts: Sequence[Text], policies: Sequence[str] | None, found: Inspection
    ) -> None:
        """Add to ``found`` what the checks that redact find in ``texts``, and nothing else."""
        for text in texts:
            self._read(text, self._of(policies).redacting, NOTHING, found)

    def _of(self, policies: Sequence[str] | None) -> _Chosen:
        return self._choice(self.names if policies is None else tuple(policies))

    def _chosen(self, names: tuple[str, ...]) -> _Chosen:
        once = dict.fromkeys(names)
        return _Chosen.of(tuple(each for name in once for each in self._by_policy[name]))

    def _read(
        self, text: Text, checks: Sequence[_Compiled], scene: Scene, found: Inspection
    ) -> None:
        reading = None
        for compiled in checks:
            find = compiled.matcher.find
            if find is None or text.stage not in compiled.check.stages:
                continue
            try:
                if reading is None:
                    reading = Reading(text, self._vocabulary)
                compiled.note(text.stage, reading.findings(find, scene), text.text, found)
            except Exception as error:  # noqa: BLE001 - a check that fails must not let pass
                _failed(compiled, text.stage, error, found)

    def _weigh(
        self,
        weighing: Sequence[_Compiled],
        stages: Iterable[str],
        scene: Scene,
        found: Inspection,
    ) -> None:
        present = [stage for stage in _STAGES if stage in stages]
        for compiled in sorted(weighing, key=lambda each: each.matcher.remote):
            weigh = compiled.matcher.weigh
            if weigh is None or (compiled.matcher.remote and found.action == "block"):
                continue
            for stage in present:
                if stage in compiled.check.stages:
                    try:
                        compiled.note(stage, weigh(scene, stage), "", found)
                    except Exception as error:  # noqa: BLE001 - it must not let pass
                        _failed(compiled, stage, error, found)


def _failed(compiled: _Compiled, stage: str, error: Exception, found: Inspection) -> None:
    # Its message may hold the text.
    where = f"{compiled.policy}/{compiled.check.name}"
    log.error("guardrail check %s failed (%s)", where, type(error).__name__)
    compiled.fail(stage, found)


def load(folder: Path) -> tuple[Guardrails, list[Problem]]:
    """The policies in ``folder``, compiled, and all that is wrong with its files.

    What comes back with problems lacks the policies that have them, and must not be served.
    """
    policies, problems = policy_files.read(folder)
    return Guardrails(policies), problems

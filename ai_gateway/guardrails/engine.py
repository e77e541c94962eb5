"""The policy engine: what the policies of a bundle say of the texts of a request or an answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, reduce
from pathlib import Path

from ai_gateway.guardrails import policy as policy_files
from ai_gateway.guardrails.checks import build
from ai_gateway.guardrails.inspection import STAGES, Compiled, Inspection, Redaction
from ai_gateway.guardrails.policy import Policy, Streaming
from ai_gateway.guardrails.readers import Readers, Remembered
from ai_gateway.guardrails.scene import NOTHING, Scene, Text
from ai_gateway.guardrails.vocabulary import Vocabulary
from ai_gateway.manifest.problem import Problem

#: Choices of policies remembered: each route's, and what callers of `/guardrail` name.
_CHOICES = 256


class _Chosen:
    """The checks of some policies, and what each request asks of them, worked out once."""

    __slots__ = ("checks", "readers", "redacting", "weighing")

    def __init__(self, checks: Sequence[Compiled], remembered: Remembered) -> None:
        self.checks = checks
        self.readers = Readers(checks, remembered)
        self.redacting = Readers([each for each in checks if each.redacts], remembered)
        self.weighing = [each for each in checks if each.matcher.weigh]


class Guardrails:
    """All policies of a bundle, compiled. Immutable, and safe to share between threads."""

    __slots__ = (
        "_always", "_by_policy", "_choice", "_remembered", "_vocabulary", "digest", "names",
        "policies",
    )  # fmt: skip

    def __init__(self, policies: Sequence[Policy]) -> None:
        self._by_policy = {
            policy.name: tuple(
                Compiled(policy.name, check, build(check)) for check in policy.checks
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
        self._remembered = Remembered()
        self._choice = lru_cache(maxsize=_CHOICES)(self._chosen)

    def guards(self, stage: str, policies: Sequence[str] | None = None) -> bool:
        """Whether any check of ``policies`` (all, if None) reads texts of ``stage``."""
        return stage in self._of(policies).readers.stages

    def models(self) -> Iterator[tuple[str, str, str, bool]]:
        """Each model that a check asks (True) or routes to, behind the policy and the check."""
        for compiled in self._of(None).checks:
            for model in sorted(compiled.matcher.models):
                yield compiled.policy, compiled.check.name, model, True
            if compiled.check.route_to:
                yield compiled.policy, compiled.check.name, compiled.check.route_to, False

    def redacts(self, stage: str, policies: Sequence[str] | None = None) -> bool:
        """Whether a check that is enforced puts placeholders into texts of ``stage``."""
        return stage in self._of(policies).redacting.stages

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
        Readers(always, self._remembered).read(
            Text(text, "input"), self._vocabulary, NOTHING, found
        )
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
        whose: str | None = None,
    ) -> Inspection:
        """What ``policies`` (all, if None) say of ``texts``; KeyError for a name there is not.

        Where there is no ``scene``, the texts are all that is known. Without ``weigh`` only checks
        that look at one text by itself are run, as for a part of an answer. What was found in a
        text of the tenant ``whose`` is remembered for the next request that has it.
        """
        found = Inspection()
        readers = self._of(policies).readers
        around = Scene(texts) if scene is None else scene
        for text in texts:
            readers.read(text, self._vocabulary, around, found, whose)
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
        self,
        texts: Sequence[Text],
        policies: Sequence[str] | None,
        found: Inspection,
        whose: str | None = None,
    ) -> None:
        """Add to ``found`` what the checks that redact find in ``texts``, and nothing else."""
        redacting = self._of(policies).redacting
        for text in texts:
            redacting.read(text, self._vocabulary, NOTHING, found, whose)

    def _of(self, policies: Sequence[str] | None) -> _Chosen:
        return self._choice(self.names if policies is None else tuple(policies))

    def _chosen(self, names: tuple[str, ...]) -> _Chosen:
        once = dict.fromkeys(names)
        return _Chosen([each for name in once for each in self._by_policy[name]], self._remembered)

    def _weigh(
        self,
        weighing: Sequence[Compiled],
        stages: Iterable[str],
        scene: Scene,
        found: Inspection,
    ) -> None:
        present = [stage for stage in STAGES if stage in stages]
        for compiled in sorted(weighing, key=lambda each: each.matcher.remote):
            weigh = compiled.matcher.weigh
            if weigh is None or (compiled.matcher.remote and found.action == "block"):
                continue
            for stage in present:
                if stage in compiled.check.stages:
                    try:
                        compiled.note(stage, weigh(scene, stage), "", found)
                    except Exception as error:  # noqa: BLE001 - it must not let pass
                        compiled.failed(stage, error, found)


def load(folder: Path) -> tuple[Guardrails, list[Problem]]:
    """The policies in ``folder``, compiled, and all that is wrong with its files.

    What comes back with problems lacks the policies that have them, and must not be served.
    """
    policies, problems = policy_files.read(folder)
    return Guardrails(policies), problems

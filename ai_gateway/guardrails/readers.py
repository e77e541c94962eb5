"""Texts read one by one by the checks of a stage; one that came lately is not read again.

Each turn of a chat sends all turns before it, and each request of an application its system prompt.
What is remembered are digests of texts and places in them, by tenant, never a text: how fast a
request is answered tells nobody what another tenant has sent.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from itertools import count
from threading import Lock

from ai_gateway.guardrails.check import Finding
from ai_gateway.guardrails.inspection import Compiled, Inspection
from ai_gateway.guardrails.reading import Reading
from ai_gateway.guardrails.scene import Scene, Text
from ai_gateway.guardrails.vocabulary import Vocabulary

#: Texts: some 2 MB, and 20 MB where each of them has as many findings as are remembered.
_MOST = 5_000
#: Findings of one text; one that has more is read anew.
_MOST_FINDINGS = 20
_DIGEST = 16  # bytes

Findings = Sequence[tuple[Finding, ...]]


class Remembered:
    """What checks found in the texts that came last. Safe to share between threads."""

    __slots__ = ("_count", "_found", "_lock")

    def __init__(self) -> None:
        self._count = count()
        #: A dictionary whose first key is deleted again and again looks for the next ever longer.
        self._found: OrderedDict[bytes, Findings] = OrderedDict()
        self._lock = Lock()

    def mark(self) -> str:
        """What tells the findings of some checks from those of others."""
        return str(next(self._count))

    def get(self, key: bytes) -> Findings | None:
        """What each check found in a text; None where it is not known."""
        return self._found.get(key)

    def put(self, key: bytes, found: Findings) -> None:
        """Remember it, and forget what is oldest where there is too much."""
        if sum(map(len, found)) <= _MOST_FINDINGS:
            with self._lock:
                self._found[key] = found
                if len(self._found) > _MOST:
                    self._found.popitem(last=False)


class Readers:
    """Checks of which each looks at one text by itself, by the stages of their texts."""

    __slots__ = ("_by_stage", "_mark", "_remembered", "_steady", "stages")

    def __init__(self, checks: Sequence[Compiled], remembered: Remembered) -> None:
        #: The stages of all checks, of those that look at all texts together, too.
        self.stages = frozenset(stage for each in checks for stage in each.check.stages)
        self._by_stage: dict[str, list[Compiled]] = {
            stage: [each for each in checks if each.matcher.find and stage in each.check.stages]
            for stage in self.stages
        }
        #: Stages whose checks find the same in a text wherever it stands.
        self._steady = frozenset(
            stage
            for stage, readers in self._by_stage.items()
            if not any(each.matcher.around for each in readers)
        )
        self._remembered = remembered
        self._mark = remembered.mark()

    def read(
        self,
        text: Text,
        vocabulary: Vocabulary,
        scene: Scene,
        found: Inspection,
        whose: str | None = None,
    ) -> None:
        """Add what they say of ``text``, remembered where the tenant ``whose`` is known."""
        checks = self._by_stage.get(text.stage)
        if not checks:
            return
        key = self._key(text, whose) if whose is not None and text.stage in self._steady else b""
        known = self._remembered.get(key) if key else None
        if known is None:
            known = _look(checks, text, vocabulary, scene, found)
            if key and len(known) == len(checks):
                self._remembered.put(key, known)
        else:
            for compiled, findings in zip(checks, known, strict=True):
                compiled.note(text.stage, findings, text.text, found)

    def _key(self, text: Text, whose: str) -> bytes:
        # Neither a tenant nor a stage has a zero in its name.
        said = f"{self._mark}\0{whose}\0{text.stage}\0{text.text}"
        return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()


def _look(
    checks: Sequence[Compiled],
    text: Text,
    vocabulary: Vocabulary,
    scene: Scene,
    found: Inspection,
) -> list[tuple[Finding, ...]]:
    """What each check finds, noted as well; one that fails has no findings at all."""
    reading, every = None, []
    for compiled in checks:
        find = compiled.matcher.find
        try:
            if reading is None:
                reading = Reading(text, vocabulary)
            findings = tuple(reading.findings(find, scene)) if find else ()
        except Exception as error:  # noqa: BLE001 - a check that fails must not let pass
            compiled.failed(text.stage, error, found)
        else:
            compiled.note(text.stage, findings, text.text, found)
            every.append(findings)
    return every

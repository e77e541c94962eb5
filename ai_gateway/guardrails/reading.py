"""A text as checks are shown it: as it was sent, and each of its views as a text of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from ai_gateway.guardrails.check import Finding
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.scene import Scene, Text
from ai_gateway.guardrails.views import views
from ai_gateway.guardrails.vocabulary import Vocabulary

_Find = Callable[[Normalised, Scene], Iterable[Finding]]


class Reading:
    """One text, read once for all checks that look at it."""

    __slots__ = ("_plain", "_views")

    def __init__(self, text: Text, vocabulary: Vocabulary) -> None:
        self._plain = Normalised(text.text, vocabulary, text.stage)
        self._views = [
            (view, Normalised(view.text, vocabulary, text.stage))
            for view in views(text.text, vocabulary.turned)
        ]

    def findings(self, find: _Find, scene: Scene) -> Iterable[Finding]:
        """What a check finds in the text, and then, once each, in what is encoded in it."""
        plain = find(self._plain, scene)
        return self._all(plain, find, scene) if self._views else plain

    def _all(self, plain: Iterable[Finding], find: _Find, scene: Scene) -> Iterator[Finding]:
        yield from plain
        yield from dict.fromkeys(self._unpacked(find, scene))

    def _unpacked(self, find: _Find, scene: Scene) -> Iterator[Finding]:
        for view, text in self._views:
            for finding in find(text, scene):
                if place := view.place(finding.start, finding.end):
                    yield replace(finding, start=place[0], end=place[1])

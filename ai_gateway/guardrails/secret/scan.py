"""Finds secrets: one pass for all hints, then a pass for each rule whose hint stands in the text.

Linear in the text's length: RE2 has no backtracking, and no rule looks further than its match.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any

import re2

from ai_gateway.guardrails.check import Finding
from ai_gateway.guardrails.linear import compiled
from ai_gateway.guardrails.secret import (
    assigned,
    clouds,
    general,
    models,
    services,
    surroundings,
    tools,
)
from ai_gateway.guardrails.secret.doubt import unguessable
from ai_gateway.guardrails.secret.rule import Rule

_RULES: tuple[Rule, ...] = (
    *models.RULES,
    *clouds.RULES,
    *tools.RULES,
    *services.RULES,
    *surroundings.RULES,
    *general.rules(),
)
ASSIGNMENT = "assignment"
#: Every kind, in the order of its first rule.
KINDS: tuple[str, ...] = (*dict.fromkeys(rule.kind for rule in _RULES), ASSIGNMENT)

_ASSIGNED = 0.7
#: What a redaction leaves.
_PLACEHOLDER = "SECRET"
#: How far before a secret the word may stand that names it.
_REACH = 60
#: Characters that show nothing, and split a token for the machine alone.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
)
#: Bytes that one pattern may take for states: a text made to need many is slower, not dearer.
_MEMORY = 1 << 21

#: Kind, score, first character, the one behind the last.
_Found = tuple[str, float, int, int]


class Scanner:
    """The rules of some kinds, compiled. Immutable, and safe to share between threads."""

    __slots__ = ("_hints", "_rules", "_unguessable")

    def __init__(self, kinds: Collection[str], bits: float) -> None:
        """``bits``: the entropy a character from which an assigned value counts."""
        rules = [rule for rule in _RULES if rule.kind in kinds]
        self._rules: Sequence[tuple[Rule, Any]] = [
            (rule, compiled(rule.pattern, max_memory=_MEMORY)) for rule in rules
        ]
        self._unguessable = partial(unguessable, bits=bits)
        self._hints = re2.Set.SearchSet()
        for rule in rules:
            self._hints.Add(rule.hint)
        if ASSIGNMENT in kinds:
            self._hints.Add(f"(?i){assigned.NAMES}")
        self._hints.Compile()

    def find(self, text: str) -> list[Finding]:
        """The secrets of a text, in their order, no two of them in one place."""
        seen = text if text.isascii() else _INVISIBLE.sub("", text)
        # One byte a character, so that RE2's places are the text's.
        data = seen.encode("ascii", "replace")
        hits = self._hints.Match(data)
        if not hits:
            return []
        places = _places(text, seen)
        found = [one for hit in sorted(hits) for one in self._apply(hit, data)]
        return [
            Finding(kind, score, places[start], places[end - 1] + 1, _PLACEHOLDER)
            for kind, score, start, end in _apart(found)
        ]

    def _apply(self, hit: int, data: bytes) -> Iterator[_Found]:
        if hit < len(self._rules):
            return _matches(*self._rules[hit], data)
        return (
            (ASSIGNMENT, _ASSIGNED, start, end)
            for start, end in assigned.values(data)
            if self._unguessable(data[start:end].decode())
        )


def _matches(rule: Rule, pattern: Any, data: bytes) -> Iterator[_Found]:
    for match in pattern.finditer(data):
        start, end = match.span(1)
        if rule.barred and end < len(data) and chr(data[end]) in rule.barred:
            continue
        if rule.near and not _is_near(rule.near, data, start):
            continue
        if share := rule.judge(data[start:end].decode()):
            yield rule.kind, rule.score * share, start, end


def _places(text: str, seen: str) -> Sequence[int]:
    """For each character of what is seen of a text, where it stands in it."""
    if len(seen) == len(text):
        return range(len(text))
    return [at for at, char in enumerate(text) if not _INVISIBLE.match(char)]


def _is_near(words: Sequence[str], data: bytes, start: int) -> bool:
    before = data[max(0, start - _REACH) : start].lower().decode()
    return any(word in before for word in words)


def _apart(found: Sequence[_Found]) -> list[_Found]:
    """Of findings that overlap the surest; of equally sure ones that of the earlier rule."""
    apart: list[_Found] = []
    for one in sorted(found, key=lambda one: one[2]):
        if not apart or one[2] >= apart[-1][3]:
            apart.append(one)
        elif one[1] > apart[-1][1]:
            apart[-1] = one
    return apart

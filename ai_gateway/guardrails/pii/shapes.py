"""Numbers of fixed shapes (``###-##-####``), all of them in one pass.

A shape has ``#`` for a digit, ``A`` for a letter, and its separators as they are written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ai_gateway.guardrails.pii.hit import Hit
from ai_gateway.guardrails.pii.joints import goes_on_before, goes_on_behind
from ai_gateway.guardrails.pii.latin import compiled
from ai_gateway.guardrails.pii.nearby import Nearby
from ai_gateway.guardrails.pii.reading import Reading

_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SHAPE = bytes.maketrans(
    b"0123456789" + _LETTERS + _LETTERS.lower(), b"#" * 10 + b"A" * 2 * len(_LETTERS)
)
_SEPARATORS = b" -./+"
#: What joins a number to a longer one; a space does not.
_JOINTS = b"-./"
#: From which score on words beside it say nothing new.
_CERTAIN = 0.9
_SPACED = bytes.maketrans(_SEPARATORS, b" " * len(_SEPARATORS))


@dataclass(frozen=True, slots=True)
class Shaped:
    """A type by its shapes, each with its score where it stands alone (0: only near its words).

    ``valid`` is told the number without separators, in capitals. Near one of ``words`` a valid one
    scores ``near``.
    """

    type: str
    shapes: Mapping[str, float]
    valid: Callable[[bytes], bool]
    words: Sequence[str] = ()
    near: float = 1.0


_ByShape = dict[bytes, list[tuple[Shaped, float]]]


class Shapes:
    """All numbers of fixed shapes: those that stand alone, and those that only count near words."""

    __slots__ = ("_alone", "_types", "_with_words")

    def __init__(self, shaped: Iterable[Shaped]) -> None:
        alone: _ByShape = defaultdict(list)
        with_words: _ByShape = defaultdict(list)
        for each in shaped:
            for shape, score in each.shapes.items():
                (alone if score else with_words)[shape.encode()].append((each, score))
        self._alone = _Pass(alone)
        self._with_words = _Pass(with_words)
        self._types = {each.type for group in with_words.values() for each, _ in group}

    def find(self, reading: Reading, nearby: Nearby) -> Iterator[Hit]:
        """Hits of every type; several may claim the same number."""
        yield from self._alone.find(reading.numbers, nearby)
        if any(kind in nearby for kind in self._types):
            yield from self._with_words.find(reading.numbers, nearby)


class _Pass:
    """Shapes that are looked for together: at each place the longest first."""

    __slots__ = ("_cuts", "_pattern")

    def __init__(self, by_shape: _ByShape) -> None:
        #: A shape → it and the shapes that it starts with, each as long as it is.
        self._cuts = {
            shape: [(cut, by_shape[shape[:cut]]) for cut in _cuts(shape) if shape[:cut] in by_shape]
            for shape in by_shape
        }
        longest_first = sorted(by_shape, key=lambda shape: (-len(shape), shape))
        union = "|".join(_as_pattern(shape.decode()) for shape in longest_first)
        self._pattern = compiled(rf"\b(?:{union})\b") if union else None

    def find(self, data: bytes, nearby: Nearby) -> Iterator[Hit]:
        at = 0
        while self._pattern and (match := self._pattern.search(data, at)):
            start, end = match.span()
            if goes_on_before(data, start, _JOINTS):
                at = end
                continue
            # What follows its first group may be the number that is meant.
            at = start + len(data[start:end].translate(_SPACED).split(maxsplit=1)[0])
            for hit in self._judge(data, start, end, nearby):
                yield hit
                at = hit.end

    def _judge(self, data: bytes, start: int, stop: int, nearby: Nearby) -> Sequence[Hit]:
        """What the longest shape is that is anything."""
        candidate = data[start:stop]
        for length, group in self._cuts[candidate.translate(_SHAPE)]:
            end = start + length
            if goes_on_behind(data, end, _JOINTS):
                continue
            compact = candidate[:length].translate(None, _SEPARATORS).upper()
            hits = []
            for shaped, alone in group:
                told = alone < _CERTAIN and nearby.near(shaped.type, start, end)
                if (alone or told) and shaped.valid(compact):
                    hits.append(Hit(start, end, shaped.type, shaped.near if told else alone))
            if hits:
                return hits
        return ()


def _cuts(shape: bytes) -> list[int]:
    """Where a shape and the whole groups that it starts with end, the longest first."""
    ends = [at for at, sign in enumerate(shape) if sign in _SEPARATORS]
    return [len(shape), *reversed(ends)]


def _as_pattern(shape: str) -> str:
    return "".join({"#": "[0-9]", "A": "[A-Za-z]"}.get(sign, "\\" + sign) for sign in shape)

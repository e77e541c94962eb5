"""A linear classifier: which part of a text speaks most for its class, and how much.

A text is read in windows of a few lengths, at every word, and the strongest decides, so that an
attack is not diluted by what stands around it. The evidence of a window is the sum of its n-grams'
weights over the square root of its words: length by itself says nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from operator import sub
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ai_gateway.guardrails.classifier.features import (
    ABSENT,
    BITS,
    CHARACTERS,
    WORDS,
    Hashed,
    features,
)
from ai_gateway.guardrails.normalise import Normalised

#: The weights of one or two classifiers, one a bucket, and none for that of nothing: one addition
#: adds up both.
Weights = NDArray[np.complex64]
#: Before each word of a text and behind the last: numpy's where there are many.
Sums = list[float] | NDArray[np.float64]

#: What ships.
NAMES = ("harm", "injection")
_HERE = Path(__file__).parent
#: Words up to which Python's own loops take less time than numpy's calls, which besides let go of
#: the interpreter's lock.
_FEW = 200
#: How much more an n-gram of words counts than one of characters.
WORD_WEIGHT = 3
_COUNTED = np.full(len(WORDS), WORD_WEIGHT, np.complex64)


class Scored(NamedTuple):
    """How much a text is of the class (0..1), and the first and last word of what says so most."""

    score: float
    first: int
    last: int


class Window(NamedTuple):
    """The strongest window: its evidence, its first word and how many words it has."""

    evidence: float
    first: int
    size: int


@dataclass(frozen=True, slots=True)
class Classifier:
    """``weights``: from ``paired``, of which this one is the ``column``-th.

    ``unit`` is what a weight counts. ``centre`` is the evidence at which the score is 0.5: training
    puts it where the false alarms are as many as were asked for. ``slope`` is how fast the score
    changes there. ``windows`` are the lengths of windows in words, from the shortest.
    """

    weights: Weights
    unit: float
    centre: float
    slope: float
    windows: tuple[int, ...]
    column: int = 0

    def score(self, text: Normalised) -> Scored:
        """The score of a text; one without words has 0."""
        if not text.words:
            return Scored(0.0, 0, 0)
        best = self._strongest(_memorised(text, self.weights)[self.column])
        score = (1 + math.tanh(self.slope * (best.evidence - self.centre) / 2)) / 2
        return Scored(score, best.first, best.first + best.size - 1)

    def strongest(self, parts: Sequence[Hashed]) -> Window:
        """The window with the most evidence, of a text of at least one word."""
        return self._strongest(_sums(self.weights, parts)[self.column])

    def _strongest(self, sums: Sums) -> Window:
        words = len(sums) - 1
        sizes = [size for size in self.windows if size < words]
        if len(sizes) < len(self.windows):
            sizes.append(words)  # all of a text that is shorter than a window
        found = [(*_greatest(sums, size), size) for size in sizes]
        most, first, size = max(found, key=_evidence)
        return Window(most * self.unit / math.sqrt(size), first, size)


def _evidence(found: tuple[float, int, int]) -> float:
    most, _, size = found
    return most / math.sqrt(size)


def _greatest(sums: Sums, size: int) -> tuple[float, int]:
    """The greatest sum of so many words one behind another, and the first of them."""
    if isinstance(sums, list):
        inside = list(map(sub, sums[size:], sums))
        greatest = max(inside)
        return greatest, inside.index(greatest)
    found = sums[size:] - sums[:-size]
    first = int(found.argmax())
    return float(found[first]), first


def _memorised(text: Normalised, weights: Weights) -> Sequence[Sums]:
    """The sums of a text: worked out once, whichever classifiers read it."""
    known = text.memo.get("classifier")
    if known is None or known[0] is not weights:
        known = text.memo["classifier"] = weights, _sums(weights, features(text.words))
    found: Sequence[Sums] = known[1]
    return found


def _sums(weights: Weights, parts: Sequence[Hashed]) -> Sequence[Sums]:
    """For each classifier the weights of all n-grams that start before each word, and of all."""
    words = np.concatenate([_by_word(weights, part) for part in parts])
    columns = words.real, words.imag
    if words.size <= _FEW:
        return [[0.0, *accumulate(column.tolist())] for column in columns]
    return [np.concatenate(([0.0], column.cumsum(dtype=np.float64))) for column in columns]


def _by_word(weights: Weights, part: Hashed) -> Weights:
    """The sums of the weights of the n-grams that start at each word."""
    by_byte, by_word, starts = part
    found = weights.take(np.concatenate((by_byte, by_word)).ravel())
    sums: Weights = np.add.reduceat(found[: by_byte.size], starts * len(CHARACTERS))
    sums += found[by_byte.size :].reshape(by_word.shape) @ _COUNTED
    return sums


def paired(*columns: NDArray[np.int8]) -> Weights:
    """The weights of one or two classifiers, one a bucket each, for one look-up."""
    weights = np.zeros(ABSENT + 1, np.complex64)
    for part, column in zip((weights.real, weights.imag), columns, strict=False):
        part[:ABSENT] = column
    weights.flags.writeable = False
    return weights


@cache
def load(name: str) -> Classifier:
    """The classifier that ships under ``name``, one of ``NAMES``."""
    about, column = provenance(name), NAMES.index(name)
    windows = tuple(about["windows"])
    return Classifier(_shipped(), about["unit"], about["centre"], about["slope"], windows, column)


@cache
def _shipped() -> Weights:
    return paired(*(read(name, _HERE) for name in NAMES))


def read(name: str, folder: Path) -> NDArray[np.int8]:
    """The weights in ``name.npz``, one a bucket; ValueError for another shape."""
    with np.load(folder / f"{name}.npz", allow_pickle=False) as stored:
        weights: NDArray[np.int8] = stored["weights"]
    if weights.shape != (1 << BITS,) or weights.dtype != np.int8:
        raise ValueError(f"{name}.npz: found {weights.dtype} {weights.shape}")
    return weights


def provenance(name: str, folder: Path = _HERE) -> Mapping[str, Any]:
    """What a classifier was trained on, when, how, and to which rate of false alarms."""
    text = (folder / f"{name}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found

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
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ai_gateway.guardrails.classifier.features import BITS, CHARACTERS, Hashed, features
from ai_gateway.guardrails.normalise import Normalised

Whole = TypeVar("Whole", np.int16, np.int32)
#: Before each word of a text and behind the last: numpy's where there are many.
Sums = list[int] | NDArray[np.int64]

#: What ships.
NAMES = ("harm", "injection")
_HERE = Path(__file__).parent
#: Words up to which Python's own loops take less time than numpy's calls, which besides let go of
#: the interpreter's lock.
_FEW = 200
#: How much more an n-gram of words counts than one of characters.
WORD_WEIGHT = 3


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
    """``weights``: int8, a row a bucket, a column a classifier, of which this one is ``column``.

    ``unit`` is what a weight counts. ``centre`` is the evidence at which the score is 0.5: training
    puts it where the false alarms are as many as were asked for. ``slope`` is how fast the score
    changes there. ``windows`` are the lengths of windows in words, from the shortest.
    """

    weights: NDArray[np.int8]
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
        best, words = Window(-math.inf, 0, 0), len(sums) - 1
        for window in self.windows:
            size = min(window, words)
            greatest, first = _greatest(sums, size)
            best = max(best, Window(greatest * self.unit / size**0.5, first, size))
            if size < window:
                break
        return best


def _greatest(sums: Sums, size: int) -> tuple[int, int]:
    """The greatest sum of so many words one behind another, and the first of them."""
    if isinstance(sums, list):
        inside = list(map(sub, sums[size:], sums))
        greatest = max(inside)
        return greatest, inside.index(greatest)
    found = sums[size:] - sums[:-size]
    first = int(found.argmax())
    return int(found[first]), first


def _memorised(text: Normalised, weights: NDArray[np.int8]) -> Sequence[Sums]:
    """The sums of a text: worked out once, whichever classifiers read it."""
    known = text.memo.get("classifier")
    if known is None or known[0] is not weights:
        known = text.memo["classifier"] = weights, _sums(weights, features(text.words))
    found: Sequence[Sums] = known[1]
    return found


def _sums(weights: NDArray[np.int8], parts: Sequence[Hashed]) -> Sequence[Sums]:
    """For each column the weights of all n-grams that start before each word, and of all."""
    words = np.concatenate([_by_word(weights, part) for part in parts])
    if len(words) <= _FEW:
        return [[0, *accumulate(column)] for column in words.T.tolist()]
    sums = np.zeros((words.shape[1], len(words) + 1), np.int64)
    words.T.cumsum(axis=1, out=sums[:, 1:])
    return list(sums)


def _by_word(weights: NDArray[np.int8], part: Hashed) -> NDArray[np.int32]:
    """The sums of the weights of the n-grams that start at each word: a column a classifier."""
    buckets, sizes, starts = part
    found, kinds = weights.take(buckets, axis=0), len(CHARACTERS)
    border = sum(sizes[:kinds])
    by_byte = _summed(found[:border], sizes[:kinds], np.int16)
    by_word = _summed(found[border:], sizes[kinds:], np.int32)
    by_word *= WORD_WEIGHT
    by_word += np.add.reduceat(by_byte, starts, axis=0, dtype=np.int32)
    return by_word


def _summed(weights: NDArray[np.int8], sizes: Sequence[int], kind: type[Whole]) -> NDArray[Whole]:
    """The sum at each place of parts that stand one behind another, none longer than the first."""
    end = sizes[0]
    sums = weights[:end].astype(kind)
    for size in sizes[1:]:
        sums[:size] += weights[end : end + size]
        end += size
    return sums


@cache
def load(name: str) -> Classifier:
    """The classifier that ships under ``name``, one of ``NAMES``."""
    about, column = provenance(name), NAMES.index(name)
    windows = tuple(about["windows"])
    return Classifier(_shipped(), about["unit"], about["centre"], about["slope"], windows, column)


@cache
def _shipped() -> NDArray[np.int8]:
    """The weights of all classifiers, side by side: one look-up finds those of an n-gram."""
    weights = np.stack([read(name, _HERE) for name in NAMES], axis=1)
    weights.flags.writeable = False
    return weights


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

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
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ai_gateway.guardrails.classifier.features import BITS, CHARACTERS, Hashed, features
from ai_gateway.guardrails.normalise import Normalised

Whole = TypeVar("Whole", np.int16, np.int32)

_HERE = Path(__file__).parent
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
    """``weights``: int8, a bucket each; ``unit`` is what one of them counts.

    ``centre`` is the evidence at which the score is 0.5: training puts it where the false alarms
    are as many as were asked for. ``slope`` is how fast the score changes there. ``windows`` are
    the lengths of windows in words, from the shortest.
    """

    weights: NDArray[np.int8]
    unit: float
    centre: float
    slope: float
    windows: tuple[int, ...]

    def score(self, text: Normalised) -> Scored:
        """The score of a text; one without words has 0."""
        if not text.words:
            return Scored(0.0, 0, 0)
        best = self.strongest(_memorised(text))
        score = (1 + math.tanh(self.slope * (best.evidence - self.centre) / 2)) / 2
        return Scored(score, best.first, best.first + best.size - 1)

    def strongest(self, parts: Sequence[Hashed]) -> Window:
        """The window with the most evidence, of a text of at least one word."""
        words = np.concatenate([self._by_word(part) for part in parts])
        sums = np.zeros(words.size + 1, np.int64)
        words.cumsum(out=sums[1:])
        found = []
        for window in self.windows:
            size = min(window, words.size)
            inside = sums[size:] - sums[:-size]
            first = int(inside.argmax())
            found.append(Window(int(inside[first]) * self.unit / size**0.5, first, size))
            if size < window:
                break
        return max(found)

    def _by_word(self, part: Hashed) -> NDArray[np.int32]:
        """The sum of the weights of the n-grams that start at each word."""
        buckets, sizes, starts = part
        found, kinds = self.weights.take(buckets), len(CHARACTERS)
        border = sum(sizes[:kinds])
        by_byte = _summed(found[:border], sizes[:kinds], np.int16)
        by_word = _summed(found[border:], sizes[kinds:], np.int32)
        by_word *= WORD_WEIGHT
        by_word += np.add.reduceat(by_byte, starts, dtype=np.int32)
        return by_word


def _summed(weights: NDArray[np.int8], sizes: Sequence[int], kind: type[Whole]) -> NDArray[Whole]:
    """The sum at each place of parts that stand one behind another, none longer than the first."""
    end = sizes[0]
    sums = weights[:end].astype(kind)
    for size in sizes[1:]:
        sums[:size] += weights[end : end + size]
        end += size
    return sums


def _memorised(text: Normalised) -> Sequence[Hashed]:
    """The features of a text: worked out once, whichever classifiers read it."""
    memo = text.memo
    if "classifier" not in memo:
        memo["classifier"] = features(text.words)
    found: Sequence[Hashed] = memo["classifier"]
    return found


@cache
def load(name: str) -> Classifier:
    """The classifier that ships under ``name``, read once a process."""
    return read(name, _HERE)


def read(name: str, folder: Path) -> Classifier:
    """The classifier of ``name.npz`` and ``name.json``; ValueError for weights of another shape."""
    about = provenance(name, folder)
    with np.load(folder / f"{name}.npz", allow_pickle=False) as stored:
        weights = stored["weights"]
    if weights.shape != (1 << BITS,) or weights.dtype != np.int8:
        raise ValueError(f"{name}.npz: found {weights.dtype} {weights.shape}")
    weights.flags.writeable = False
    windows = tuple(about["windows"])
    return Classifier(weights, about["unit"], about["centre"], about["slope"], windows)


def provenance(name: str, folder: Path = _HERE) -> Mapping[str, Any]:
    """What a classifier was trained on, when, how, and to which rate of false alarms."""
    text = (folder / f"{name}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found

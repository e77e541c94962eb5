"""How a classifier is learned: naive Bayes ratios of n-grams, weighted by logistic regression.

The ratios and the regression are those of Wang and Manning (2012), "Baselines and bigrams". A text
is cut into windows. Of an attack only the strongest third counts as one, by a first fit, since most
of a long attack is ordinary text. Those of an honest text are all honest, but the two that come
nearest to an attack may count more: the strongest window decides, and a long text has many.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse  # type: ignore[import-untyped] # published without types
from sklearn.linear_model import LogisticRegression

from ai_gateway.guardrails.classifier.features import ABSENT, BITS, features, hashed
from ai_gateway.guardrails.classifier.model import WORD_WEIGHT, Classifier, paired
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.vocabulary import Vocabulary
from evals.classifiers.sources import Row

#: Windows of a text, so that no book decides.
MOST_WINDOWS = 20
#: Inverse strength of the regression's regularisation.
STRENGTH = 0.05
#: Ratios: what is added to every count, how far one may go, windows that an n-gram must be in.
SMOOTHING, FARTHEST, FEWEST = 3.0, 3.0, 2
#: How many windows of an honest text count as those that come nearest to an attack.
NEAREST = 2
#: Parts of a cross-validation.
PARTS = 5
_NO_WORDS = Vocabulary(())

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Recipe:
    """The words of the windows, and what is emphasised in learning from them.

    ``stress`` is how often the windows of an honest text that come nearest to an attack count,
    ``made`` is what a made-up text counts beside one that somebody sent.
    """

    lengths: tuple[int, ...]
    stress: float = 1.0
    made: float = 1.0


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of all rows: their features, and the row that each is of."""

    rows: Sequence[Row]
    texts: Sequence[Normalised]
    matrix: sparse.csr_matrix
    owner: NDArray[np.intp]
    labels: Flags
    sources: NDArray[np.str_]
    recipe: Recipe


def cut(words: Sequence[str], lengths: Sequence[int]) -> list[Sequence[str]]:
    """The windows of a text that are trained on."""
    found: dict[tuple[int, int], None] = {}
    for size in lengths:
        stride = max(2, size // 3)
        last = max(0, len(words) - size)
        starts = np.unique([*range(0, last, stride), last])
        if starts.size > MOST_WINDOWS:
            starts = starts[np.linspace(0, starts.size - 1, MOST_WINDOWS).astype(int)]
        found |= {(start, start + size): None for start in starts.tolist()}
        if len(words) <= size:
            break
    return [words[start:stop] for start, stop in found]


def matrix(windows: Sequence[Sequence[str]]) -> sparse.csr_matrix:
    """A row a window: counts of its n-grams over the square root of its words."""
    indices, values, ends = [], [], [0]
    for words in windows:
        of_characters, of_words, _ = hashed(words)
        found = np.concatenate((of_characters.ravel(), of_words.ravel()))
        value = np.ones(found.size, np.float32)
        value[of_characters.size :] = WORD_WEIGHT
        found, value = found[found != ABSENT], value[found != ABSENT]
        indices.append(found)
        values.append(value / np.sqrt(len(words)))
        ends.append(ends[-1] + found.size)
    made = sparse.csr_matrix(
        (np.concatenate(values), np.concatenate(indices).astype(np.int32), ends),
        shape=(len(windows), 1 << BITS),
        dtype=np.float32,
    )
    made.sum_duplicates()
    return made


def prepare(rows: Sequence[Row], recipe: Recipe) -> Windows:
    """All rows with at least one word, cut into windows and hashed."""
    pairs = [(row, Normalised(row.text, _NO_WORDS)) for row in rows]
    kept = [(row, text) for row, text in pairs if text.words]
    windows = [cut(text.words, recipe.lengths) for _, text in kept]
    return Windows(
        [row for row, _ in kept],
        [text for _, text in kept],
        matrix([window for each in windows for window in each]),
        np.repeat(np.arange(len(kept)), [len(each) for each in windows]),
        np.array([row.label for row, _ in kept]),
        np.array([row.source for row, _ in kept]),
        recipe,
    )


def importance(data: Windows, stress: Floats) -> Floats:
    """What each window with ``stress`` counts: large sources less a row, long texts a window."""
    (chosen,) = stress.nonzero()
    owner = data.owner[chosen]
    weight = stress[chosen] / np.sqrt(np.bincount(owner)[owner])
    names = np.char.add(data.sources, np.where(data.labels, "+", "-"))
    _, group = np.unique(names, return_inverse=True)
    weight /= np.sqrt(np.bincount(group[owner], weight)[group[owner]])
    weight[np.char.startswith(data.sources, "made")[owner]] *= data.recipe.made
    label = data.labels[owner]
    for side in (label, ~label):
        weight[side] *= len(chosen) / 2 / weight[side].sum()
    return weight


def regress(data: Windows, stress: Floats) -> tuple[Floats, float]:
    """Weights and intercept learned from the windows with ``stress``."""
    (chosen,) = stress.nonzero()
    part, label = data.matrix[chosen], data.labels[data.owner[chosen]]
    weight = importance(data, stress)
    present = part.copy()
    present.data = np.ones_like(present.data)
    attack = (present[label].T @ weight[label] + SMOOTHING) / weight[label].sum()
    honest = (present[~label].T @ weight[~label] + SMOOTHING) / weight[~label].sum()
    ratio = np.clip(np.log(attack / honest), -FARTHEST, FARTHEST)
    ratio[np.asarray(present.sum(axis=0)).ravel() < FEWEST] = 0
    scaled = part.copy()
    scaled.data = part.data * ratio[part.indices].astype(np.float32)
    model = LogisticRegression(C=STRENGTH, solver="liblinear", max_iter=50, tol=0.01)
    model.fit(scaled, label, sample_weight=weight)
    return model.coef_[0] * ratio, float(model.intercept_[0])


def stressed(data: Windows, evidence: Floats) -> Floats:
    """What a window counts by its evidence: of attacks the strongest third, of honest ones all."""
    counts = np.bincount(data.owner, minlength=len(data.rows))
    order = np.lexsort((-evidence, data.owner))
    rank = np.empty(evidence.size, np.intp)
    rank[order] = np.arange(evidence.size) - (np.cumsum(counts) - counts)[data.owner[order]]
    honest = np.where(rank < NEAREST, data.recipe.stress, 1.0)
    return np.where(data.labels[data.owner], rank < np.ceil(counts[data.owner] / 3), honest)


def fit(data: Windows, rows: Flags) -> Classifier:
    """A classifier of the rows that are flagged; its centre and slope are not set yet."""
    known = rows[data.owner].astype(np.float64)
    weights, intercept = regress(data, known)
    stress = stressed(data, data.matrix @ weights + intercept)
    weights, intercept = regress(data, known * stress)
    unit = float(np.quantile(np.abs(weights[weights != 0]), 0.9995)) / 127
    small = np.clip(np.rint(weights / unit), -127, 127).astype(np.int8)
    return Classifier(paired(small), unit, -intercept, 1.0, data.recipe.lengths)


def evidence(classifier: Classifier, texts: Sequence[Normalised]) -> Floats:
    """What the classifier, as it would ship, finds in each text, from its centre on."""
    found = (classifier.strongest(features(text.words)).evidence for text in texts)
    return np.fromiter(found, np.float64, len(texts)) - classifier.centre


def flagged(data: Windows, rows: Flags) -> list[Normalised]:
    """The texts of the rows that are flagged."""
    return [data.texts[row] for row in np.flatnonzero(rows).tolist()]


def apart(data: Windows, tested: Flags) -> Floats:
    """The evidence of the tested rows by a classifier that learned from all others; else NaN."""
    found = np.full(len(data.rows), np.nan)
    found[tested] = evidence(fit(data, ~tested), flagged(data, tested))
    return found


def folds(data: Windows) -> NDArray[np.intp]:
    """The part of ``PARTS`` that each row is in, by a hash of its words: copies stay together."""
    keys = [" ".join(text.words).encode("utf-8", "replace") for text in data.texts]
    return np.array([hashlib.sha256(key).digest()[0] % PARTS for key in keys])


def crossed(data: Windows, known: Flags) -> Floats:
    """The evidence of the known rows by a classifier of their other parts; else NaN."""
    part = folds(data)
    found = np.full(len(data.rows), np.nan)
    for fold in range(PARTS):
        at = known & (part == fold)
        found[at] = evidence(fit(data, known & ~at), flagged(data, at))
    return found


def threshold(found: Floats, honest: Flags, sources: NDArray[np.str_], rate: float) -> float:
    """The evidence above which a ``rate`` of honest rows lie, every source counting alike."""
    names = np.unique(sources[honest])
    groups = [np.sort(found[honest & (sources == name)]) for name in names]
    for value in np.unique(np.concatenate(groups)):
        above = [1 - np.searchsorted(group, value, side="right") / group.size for group in groups]
        if np.mean(above) <= rate:
            return float(value)
    raise ValueError("no honest rows")

"""Trains the classifiers of guardrails and writes them beside their code.

    python -m evals.classifiers.train DATA_DIR [--date YYYY-MM-DD]

DATA_DIR holds the files of ``sources.FILES``, which say where each is published. The same files
and the same seed make the same weights.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from ai_gateway.guardrails.classifier.model import Classifier
from evals.classifiers import generated, learning, sources
from evals.classifiers.sources import Row

ROOT = Path(__file__).parents[2]

SEED = 1
TARGET = ROOT / "ai_gateway" / "guardrails" / "classifier"
Rows = Callable[[Path], Sequence[Row]]


def injection(folder: Path) -> list[Row]:
    """All rows of the classifier of injections."""
    return [*sources.injection_rows(folder), *generated.injection_rows(SEED)]


def harm(folder: Path) -> list[Row]:
    """All rows of the classifier of harm."""
    return [*sources.harm_rows(folder), *generated.harm_rows(SEED)]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a classifier learns from, the words of its windows, and its rate of false alarms."""

    rows: Rows
    windows: tuple[int, ...]
    rate: float


#: An order to ignore what came before is short; what makes a request harmful needs its context.
KINDS = {
    "injection": Kind(injection, (5, 10, 24), 0.01),
    "harm": Kind(harm, (8, 24), 0.0075),
}


def prepared(name: str, folder: Path) -> learning.Windows:
    """The training data of a classifier."""
    return learning.prepare(KINDS[name].rows(folder), KINDS[name].windows)


def published(data: learning.Windows) -> learning.Flags:
    """The rows that nobody here wrote."""
    return ~np.char.startswith(data.sources, "made")


class Scale(NamedTuple):
    """The evidence that scores 0.5, how fast the score changes there, and the false alarms."""

    centre: float
    slope: float
    alarms: float


def scale(data: learning.Windows, known: learning.Flags, rate: float) -> Scale:
    """The scale with ``rate`` false alarms in cross-validation on the known rows.

    Its ``alarms`` are the share of their honest rows, of which large sources have more.
    """
    crossed = learning.crossed(data, known)
    honest = published(data) & ~data.labels & known
    centre = learning.threshold(crossed, honest, data.sources, rate)
    platt = LogisticRegression(class_weight="balanced")
    platt.fit(crossed[known].reshape(-1, 1), data.labels[known])
    slope = float(np.asarray(platt.coef_)[0, 0])
    return Scale(centre, slope, float(np.mean(crossed[honest] > centre)))


def centred(data: learning.Windows, rate: float) -> tuple[Classifier, float]:
    """A classifier of all rows that has ``rate`` false alarms in cross-validation; that rate."""
    every = np.ones(len(data.rows), np.bool_)
    centre, slope, alarms = scale(data, every, rate)
    whole = learning.fit(data, every)
    return replace(whole, centre=whole.centre + centre, slope=slope), alarms


def about(data: learning.Windows, rate: float) -> dict[str, Any]:
    """What the classifier was made of."""
    counts = {
        str(source): {
            "positive": int(np.sum(data.labels[data.sources == source])),
            "negative": int(np.sum(~data.labels[data.sources == source])),
        }
        for source in np.unique(data.sources)
    }
    files = {
        name: {"publisher": publisher, "licence": licence}
        for name, (publisher, licence) in sources.FILES.items()
        if data.labels[data.sources == sources.SOURCES[name]].size
    }
    return {"script": "evals/classifiers/train.py", "seed": SEED, "files": files, "rows": counts,
            "false_positive_rate": rate}  # fmt: skip


def write(name: str, made: Classifier, facts: dict[str, Any]) -> None:
    """The weights as ``name.npz``, the rest as ``name.json``."""
    weights: NDArray[np.int8] = made.weights
    np.savez_compressed(TARGET / f"{name}.npz", weights=weights)
    numbers = {"unit": made.unit, "centre": made.centre, "slope": made.slope,
               "windows": made.windows, "threshold": 0.5}  # fmt: skip
    text = json.dumps(numbers | facts, indent=1, ensure_ascii=False)
    (TARGET / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Train both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="DATA_DIR")
    parser.add_argument("--date", default=dt.datetime.now(dt.timezone.utc).date().isoformat())
    arguments = parser.parse_args()
    for name, kind in KINDS.items():
        data = prepared(name, arguments.folder)
        made, pooled = centred(data, kind.rate)
        facts = about(data, kind.rate) | {
            "date": arguments.date,
            "false_positive_rate_of_rows": pooled,
        }
        write(name, made, facts)
        print(f"{name}: {len(data.rows)} rows, centre {made.centre:.3f}, pooled rate {pooled:.4f}")


if __name__ == "__main__":
    main()

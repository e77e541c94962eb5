"""Trains the classifiers of guardrails and writes them beside their code.

    python -m evals.classifiers.train DATA_DIR [--date YYYY-MM-DD]

DATA_DIR holds the files below. The same files and the same seed make the same weights.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ai_gateway.guardrails.classifier.features import ABSENT
from ai_gateway.guardrails.classifier.model import Classifier
from evals.classifiers import generated, learning, sources
from evals.classifiers.learning import Recipe
from evals.classifiers.sources import Row

ROOT = Path(__file__).parents[2]

#: The log odds of a score of 0.7, and how far its evidence is from that of 0.5 at least.
STRICT, LEAST = math.log(0.7 / 0.3), 0.1
#: The false alarms at 0.7, as a part of those at 0.5.
FEWER = 0.3
TARGET = ROOT / "ai_gateway" / "guardrails" / "classifier"
Rows = Callable[[Path], Sequence[Row]]


def injection(folder: Path) -> list[Row]:
    """All rows of the classifier of injections."""
    return [*sources.injection_rows(folder), *generated.injection_rows()]


def harm(folder: Path) -> list[Row]:
    """All rows of the classifier of harm."""
    return [*sources.harm_rows(folder), *generated.harm_rows()]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a classifier learns from, how, and its rate of false alarms."""

    rows: Rows
    recipe: Recipe
    rate: float


#: An order to ignore what came before is short; what makes a request harmful needs its context.
KINDS = {
    "injection": Kind(injection, Recipe((5, 10, 24), stress=10.0, made=0.4), 0.01),
    "harm": Kind(harm, Recipe((8, 24)), 0.0075),
}


def prepared(name: str, folder: Path) -> learning.Windows:
    """The training data of a classifier."""
    return learning.prepare(KINDS[name].rows(folder), KINDS[name].recipe)


def published(data: learning.Windows) -> learning.Flags:
    """The rows that nobody here wrote."""
    return ~np.char.startswith(data.sources, "made")


class Scale(NamedTuple):
    """The evidence that scores 0.5, how fast the score changes there, and the false alarms."""

    centre: float
    slope: float
    alarms: float


def scale(
    data: learning.Windows, crossed: learning.Floats, known: learning.Flags, rate: float
) -> Scale:
    """The scale on which 0.5 has ``rate`` false alarms among the known rows, 0.7 ``FEWER`` of it.

    ``crossed`` is their evidence in cross-validation. ``alarms`` are the share of the honest rows
    that score 0.5, of which large sources have more.
    """
    honest = published(data) & ~data.labels & known
    centre, strict = (
        learning.threshold(crossed, honest, data.sources, share) for share in (rate, rate * FEWER)
    )
    slope = STRICT / max(strict - centre, LEAST)
    return Scale(centre, slope, float(np.mean(crossed[honest] > centre)))


def centred(data: learning.Windows, rate: float) -> tuple[Classifier, Scale]:
    """A classifier of all rows, on the scale that cross-validation gives them."""
    every = np.ones(len(data.rows), np.bool_)
    found = scale(data, learning.crossed(data, every), every, rate)
    whole = learning.fit(data, every)
    return replace(whole, centre=whole.centre + found.centre, slope=found.slope), found


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
    return {"script": "evals/classifiers/train.py", "seed": generated.SEED, "files": files,
            "rows": counts, "stress": data.recipe.stress, "made": data.recipe.made,
            "false_positive_rate": rate, "false_positive_rate_at_0.7": rate * FEWER}  # fmt: skip


def write(name: str, made: Classifier, facts: dict[str, Any]) -> None:
    """The weights as ``name.npz``, the rest as ``name.json``."""
    weights: NDArray[np.int8] = made.weights.real[:ABSENT].astype(np.int8)
    np.savez_compressed(TARGET / f"{name}.npz", weights=weights)
    numbers = {"unit": made.unit, "centre": made.centre, "slope": made.slope,
               "windows": made.windows, "threshold": 0.5}  # fmt: skip
    text = json.dumps(numbers | facts, indent=1, ensure_ascii=False)
    (TARGET / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Train both."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=sources.where(),
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="DATA_DIR")
    parser.add_argument("--date", default=dt.datetime.now(dt.timezone.utc).date().isoformat())
    arguments = parser.parse_args()
    for name, kind in KINDS.items():
        data = prepared(name, arguments.folder)
        made, found = centred(data, kind.rate)
        facts = about(data, kind.rate) | {"date": arguments.date, "scale": found._asdict()}
        write(name, made, facts)
        print(f"{name}: {len(data.rows)} rows, centre {made.centre:.3f}, scale {found}")


if __name__ == "__main__":
    main()

"""How well the classifiers of guardrails do on text they have not learned from, and their CPU time.

    python -m evals.classifiers.measure DATA_DIR [PART ...]

PARTs are in-domain, injection, ordinary, made, harm, roc and cpu; each takes a few minutes at most,
all of them are run where none is named. roc draws the curves to docs/images/guardrails-roc.png.

DATA_DIR is that of train.py. Every figure is of a classifier that is trained here without the rows
it is tested on: without a whole source, or for one figure without half of deepset, texts that share
eight words in a row on the same side. The threshold is fixed by cross-validation on what is left.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from ai_gateway.guardrails.classifier import model
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.vocabulary import Vocabulary
from evals.classifiers import learning, train
from evals.classifiers.learning import Flags, Floats, Windows
from evals.scoring import Curve

ROOT = Path(__file__).parents[2]

RATES = (0.005, 0.01, 0.02, 0.05, 0.1)
SHARED_WORDS = 8
HARMFUL = ("advbench", "harmbench", "do_not_answer")
PROSE = "The museum opens its new wing in April, and the director says that it took nine years. "


def interval(hits: int, rows: int) -> str:
    """A share with its Wilson interval at 95 %."""
    z, share = 1.96, hits / rows
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z * np.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows)) / (1 + z * z / rows)
    return f"{share:6.1%} ({max(0.0, middle - half):.1%} to {min(1.0, middle + half):.1%})"


def curve(attacks: Floats, honest: Floats) -> None:
    """The area under the curve, and the recall at each rate of false alarms."""
    labels = np.repeat([1, 0], [attacks.size, honest.size])
    print(f"  AUC {roc_auc_score(labels, np.concatenate([attacks, honest])):.3f}")
    for rate in RATES:
        edge = np.sort(honest)[::-1][int(rate * honest.size)]
        print(f"  at {rate:5.1%}: recall {interval(int(np.sum(attacks > edge)), attacks.size)}")


def centre(data: Windows, tested: Flags, rate: float) -> float:
    """The threshold that the rows which are not tested give, in cross-validation."""
    part = learning.folds(data)
    found = np.full(len(data.rows), np.nan)
    for fold in range(5):
        at = (part == fold) & ~tested
        fold_only = learning.fit(data, ~tested & ~at)
        found[at] = learning.evidence(fold_only, learning.flagged(data, at))
    honest = train.published(data) & ~data.labels & ~tested
    return learning.threshold(found, honest, data.sources, rate)


def held_out(data: Windows, tested: Flags, rate: float) -> None:
    """All figures of a classifier that did not learn from the tested rows."""
    found = learning.apart(data, tested)
    edge = centre(data, tested, rate)
    attacks, honest = found[tested & data.labels], found[tested & ~data.labels]
    hits, alarms = int(np.sum(attacks > edge)), int(np.sum(honest > edge))
    if honest.size:
        print(f"  at the threshold: false alarms {interval(alarms, honest.size)}")
    if attacks.size:
        print(f"  at the threshold: recall {interval(hits, attacks.size)}")
    if attacks.size and honest.size:
        print(f"  at the threshold: F1 {2 * hits / (hits + alarms + attacks.size):.3f}")
        curve(attacks, honest)


def halves(data: Windows) -> tuple[Flags, Flags]:
    """Deepset in two; texts that share ``SHARED_WORDS`` words in a row are in the same one."""
    rows = np.flatnonzero(data.sources == "deepset").tolist()
    parent = {row: row for row in rows}
    first: dict[tuple[str, ...], int] = {}

    def root(row: int) -> int:
        while parent[row] != row:
            row = parent[row]
        return row

    for row in rows:
        words = data.texts[row].words
        for start in range(max(1, len(words) - SHARED_WORDS + 1)):
            shared = first.setdefault(tuple(words[start : start + SHARED_WORDS]), row)
            parent[root(row)] = root(shared)
    half = np.full(len(data.rows), -1)
    for row in rows:
        half[row] = hashlib.sha256(data.rows[root(row)].text.encode()).digest()[0] % 2
    return half == 0, half == 1


def injections(folder: Path) -> tuple[Windows, float]:
    """The rows of injections, cut, and the share of false alarms that is asked for."""
    return train.prepared("injection", folder), train.KINDS["injection"].rate


def in_domain(folder: Path) -> None:
    """One half of deepset by a classifier that knows the other."""
    data, rate = injections(folder)
    for number, half in enumerate(halves(data), 1):
        print(f"deepset, half {number}, trained on the other and all else")
        held_out(data, half, rate)


def injection(folder: Path) -> None:
    """Each source with attacks left out."""
    _each(folder, ("deepset", "jackhhao"))


def ordinary(folder: Path) -> None:
    """Each source of honest prompts left out."""
    _each(folder, ("mt_bench", "user_oriented", "coconot", "presidio"))


def _each(folder: Path, names: Sequence[str]) -> None:
    data, rate = injections(folder)
    for source in names:
        print(f"injection: {source}, left out")
        held_out(data, data.sources == source, rate)


def made(folder: Path) -> None:
    """Each made-up category left out."""
    data, rate = injections(folder)
    edge = centre(data, np.zeros(len(data.rows), np.bool_), rate)
    for source in np.unique(data.sources[~train.published(data)]):
        tested = data.sources == source
        found = learning.apart(data, tested)[tested]
        print(f"{source}, left out\n  flagged {interval(int(np.sum(found > edge)), found.size)}")


def harm(folder: Path) -> None:
    """Each harmful source left out together with the look-alikes and ordinary questions."""
    data, rate = train.prepared("harm", folder), train.KINDS["harm"].rate
    usual = ["coconot", "mt_bench", "user_oriented"]
    for source in HARMFUL:
        print(f"harm: {source}, left out with {', '.join(usual)}")
        held_out(data, np.isin(data.sources, [source, *usual]), rate)
    for source in usual:
        print(f"harm: {source}, left out")
        held_out(data, data.sources == source, rate)


def roc(folder: Path) -> None:
    """Draw what sources that are left out show: bad texts found against good ones found."""
    import matplotlib as mpl  # noqa: PLC0415 - only who draws has it

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - as above

    figure, axes = plt.subplots(figsize=(6.4, 4.4), dpi=110)
    usual = ["coconot", "mt_bench", "user_oriented"]
    for name, sources in (("injection", ("deepset", "jackhhao")), ("harm", HARMFUL)):
        data = train.prepared(name, folder)
        for source in sources:
            left_out = [source, *(usual if name == "harm" else ())]
            tested = np.isin(data.sources, left_out)
            found = learning.apart(data, tested)
            bad, good = found[tested & data.labels], found[tested & ~data.labels]
            curve = Curve(bad.tolist(), good.tolist())
            alarms, recalls = curve.points(math.inf)
            axes.plot(alarms, recalls, label=f"{name}: {source} ({curve.auc()[0]:.2f})")
    axes.set(xlabel="good texts found", ylabel="bad texts found", xlim=(0, 0.2), ylim=(0, 1))
    axes.legend(title="left out (area)", fontsize="small")
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(ROOT / "docs" / "images" / "guardrails-roc.png")


def cpu(_folder: Path) -> None:
    """CPU time of a score, features included, best of seven runs; words are there before."""
    nothing = Vocabulary(())
    for count in (200, 2_000, 100_000, 1_000_000):
        text = Normalised((PROSE * (count // len(PROSE) + 1))[:count], nothing)
        for names in (("injection",), ("injection", "harm")):
            spent = min(_spent(text, names, max(1, 20_000 // count)) for _ in range(7))
            print(f"{count:9,} characters, {' and '.join(names):20} {spent * 1e6:10,.0f} us")


def _spent(text: Normalised, names: Sequence[str], times: int) -> float:
    loaded = [model.load(name) for name in names]
    _ = text.words
    start = time.process_time()
    for _ in range(times):
        text.memo.clear()
        for classifier in loaded:
            classifier.score(text)
    return (time.process_time() - start) / times


PARTS = {
    "in-domain": in_domain,
    "injection": injection,
    "ordinary": ordinary,
    "made": made,
    "harm": harm,
    "roc": roc,
    "cpu": cpu,
}


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="DATA_DIR")
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART")
    arguments = parser.parse_args()
    for name in arguments.parts:
        PARTS[name](arguments.folder)


if __name__ == "__main__":
    main()

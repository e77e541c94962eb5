"""How well the classifiers of guardrails do on text they have not learned from, and their CPU time.

    python -m evals.classifiers.measure DATA_DIR [PART ...]

PARTs are in-domain, injection, ordinary, made (attacks from templates), triggers (honest prompts
that are no training text), honest (these, and prompts from templates), harm, roc and cpu. triggers
and cpu take seconds, made, honest and roc a minute or two, the others some minutes; all of them are
run where none is named. roc draws the curves to docs/images/guardrails-roc.png.

DATA_DIR holds the files below. Every figure but those of triggers and cpu, which have the one that
ships, is of a classifier that is trained here without the rows it is tested on: a whole source, or
for in-domain a fifth of all rows, once by row and once with texts of deepset that share eight words
in a row on the same side. What scores 0.5 and 0.7 is fixed by cross-validation on what is left; of
made and honest on all rows, as it ships.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ai_gateway.guardrails.classifier import model
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.vocabulary import Vocabulary
from evals.classifiers import learning, sources, train, trigger_prompts
from evals.classifiers.learning import Flags, Floats, Windows
from evals.scoring import Curve, Share

ROOT = Path(__file__).parents[2]

THRESHOLDS = (0.5, 0.7)
RATES = (0.005, 0.01, 0.02, 0.05, 0.1)
SHARED_WORDS = 8
NOTHING = Vocabulary(())
HARMFUL = ("advbench", "harmbench", "do_not_answer")
PROSE = "The museum opens its new wing in April, and the director says that it took nine years. "


def scores(found: Floats, scale: train.Scale) -> list[float]:
    """Evidence as scores, 0..1."""
    scored: list[float] = (1 / (1 + np.exp(-scale.slope * (found - scale.centre)))).tolist()
    return scored


def held_out(data: Windows, tested: Flags, rate: float) -> None:
    """All figures of a classifier that did not learn from the tested rows."""
    scale = train.scale(data, learning.crossed(data, ~tested), ~tested, rate)
    found = learning.apart(data, tested)
    figures([scores(found[tested & side], scale) for side in (data.labels, ~data.labels)])


def figures(scored: Sequence[list[float]]) -> None:
    """What the scores of bad and of good texts come to."""
    bad, good = scored
    curve = Curve(bad, good)
    for threshold in THRESHOLDS:
        recall, alarms = curve.at(threshold)
        if good:
            print(f"  at {threshold}: false alarms {alarms}")
        if bad:
            print(f"  at {threshold}: recall {recall}")
        if good and bad:
            low, high = curve.f1_interval(threshold)
            print(f"  at {threshold}: F1 {curve.f1(threshold):.3f} ({low:.3f} to {high:.3f})")
    if good and bad:
        area, low, high = curve.auc()
        print(f"  AUC {area:.3f} ({low:.3f} to {high:.3f})")
        for alarms_rate in RATES:
            print(f"  at {alarms_rate:.1%} false alarms: recall {curve.recall_at(alarms_rate)[0]}")


def related(data: Windows) -> NDArray[np.intp]:
    """The parts of ``learning.folds``, but deepset's texts with ``SHARED_WORDS`` in a row together.

    The largest groups are dealt first, each to the part with the fewest rows.
    """
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
    groups: dict[int, list[int]] = {}
    for row in rows:
        groups.setdefault(root(row), []).append(row)
    part, sizes = learning.folds(data), [0] * learning.PARTS
    for group in sorted(groups.values(), key=len, reverse=True):
        smallest = sizes.index(min(sizes))
        part[group] = smallest
        sizes[smallest] += len(group)
    return part


def nested(data: Windows, part: NDArray[np.intp], rate: float) -> Floats:
    """The score of every row by a classifier, and on a scale, of the other parts alone.

    The scale of a part is from classifiers that know neither it nor the part that they score.
    """
    inner = np.full((learning.PARTS, len(data.rows)), np.nan)
    for first, second in combinations(range(learning.PARTS), 2):
        pair = np.isin(part, (first, second))
        found = learning.apart(data, pair)
        inner[first, part == second] = found[part == second]
        inner[second, part == first] = found[part == first]
    scored = np.full(len(data.rows), np.nan)
    for number in range(learning.PARTS):
        tested = part == number
        scale = train.scale(data, inner[number], ~tested, rate)
        scored[tested] = scores(learning.apart(data, tested)[tested], scale)
    return scored


@cache
def injections(folder: Path) -> tuple[Windows, float]:
    """The rows of injections, cut, and the share of false alarms that is asked for."""
    return train.prepared("injection", folder), train.KINDS["injection"].rate


def in_domain(folder: Path) -> None:
    """A fifth of deepset after the other by a classifier that knows the rest and all else."""
    data, rate = injections(folder)
    deepset = data.sources == "deepset"
    for name, part in (("rows", learning.folds(data)), ("related rows", related(data))):
        print(f"deepset, five parts by {name}", flush=True)
        scored = nested(data, part, rate)
        figures([scored[deepset & side].tolist() for side in (data.labels, ~data.labels)])


def injection(folder: Path) -> None:
    """Each source with attacks left out."""
    _each(folder, ("deepset", "jackhhao"))


def ordinary(folder: Path) -> None:
    """Each source of honest prompts left out."""
    _each(folder, ("mt_bench", "user_oriented", "coconot"))


def _each(folder: Path, names: Sequence[str]) -> None:
    data, rate = injections(folder)
    for source in names:
        print(f"injection: {source}, left out")
        held_out(data, data.sources == source, rate)


def made(folder: Path) -> None:
    """Each category of made-up attacks left out."""
    _categories(folder, attacks=True)


def honest(folder: Path) -> None:
    """Honest prompts full of attacks' words: what ships, and each made-up category left out."""
    triggers(folder)
    _categories(folder, attacks=False)


def triggers(_folder: Path) -> None:
    """Prompts that no classifier learns from, by the one that ships."""
    print("triggers, by what ships")
    classifier, found = model.load("injection"), []
    for name, prompts in trigger_prompts.PROMPTS.items():
        scored = [classifier.score(Normalised(each, NOTHING)).score for each in prompts]
        flagged(name, scored)
        found += scored
    flagged("all", found)


def flagged(name: str, found: Sequence[float]) -> None:
    """How many of the scores count at each threshold."""
    for threshold in THRESHOLDS:
        hits = sum(score >= threshold for score in found)
        print(f"  {name}, at {threshold}: flagged {Share(hits, len(found))}", flush=True)


def _categories(folder: Path, *, attacks: bool) -> None:
    """What is flagged of each category that is left out, on the scale that ships."""
    data, _ = injections(folder)
    scale = train.Scale(**model.provenance("injection")["scale"])
    print("left out", flush=True)
    for source in np.unique(data.sources[~train.published(data) & (data.labels == attacks)]):
        tested = data.sources == source
        flagged(str(source), scores(learning.apart(data, tested)[tested], scale))


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
    for name, tested_on in (("injection", ("deepset", "jackhhao")), ("harm", HARMFUL)):
        data = train.prepared(name, folder)
        for source in tested_on:
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
    for count in (200, 2_000, 100_000, 1_000_000):
        text = Normalised((PROSE * (count // len(PROSE) + 1))[:count], NOTHING)
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
    "triggers": triggers,
    "honest": honest,
    "harm": harm,
    "roc": roc,
    "cpu": cpu,
}


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=sources.where(),
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="DATA_DIR")
    parser.add_argument(
        "parts", nargs="*", default=[name for name in PARTS if name != "triggers"], metavar="PART"
    )
    arguments = parser.parse_args()
    for name in arguments.parts:
        PARTS[name](arguments.folder)


if __name__ == "__main__":
    main()

"""How well the policies of a bundle tell bad texts from good ones, set by set and check by check.

    python -m evals.guardrails DATA_DIR [--policies FOLDER] [--plot FILE.png]
    python -m evals.guardrails --set NAME=FILE:injection --set NAME=FILE:harm --set NAME=FILE:good

DATA_DIR holds files that their authors publish, listed below. Any other set is a file (CSV, JSON
lines or one JSON list) whose texts stand in the column text, prompt, question, goal, instruction or
Behavior (`FILE:harm:COLUMN` names another); all of its rows are injections, requests for harm, or
good.

Three tables, all with 95 % intervals. Of each set: the CPU time a text takes, and how many rows a
check finds at its policy's threshold, which is over-blocking where they are good. Of each bad set
of `injection` and `harm`, against the good rows of the same name or else all good ones: area under
the ROC curve, recall at 1 % false alarms, precision, recall, F1 and false alarms at the threshold.
Of each check the same, all bad sets of its concern against all good ones. Topics, personal data and
secrets have labels of their own: evals/topics.py, evals/pii.py, evals/secret_recall.py.

Sets marked * are among those that a classifier of the bundle was trained on: what stands beside
them is no estimate of what it does elsewhere. `python -m evals.classifiers.measure DATA_DIR` trains
without a source and measures on it. The set "triggers" is trigger_prompts.py's.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ai_gateway.guardrails.engine import Guardrails, load
from ai_gateway.guardrails.scene import Text
from evals.classifiers import sources, trigger_prompts
from evals.scoring import Curve, Share

POLICIES = Path(__file__).parents[1] / "policies"
COLUMNS = ("text", "prompt", "question", "goal", "instruction", "Behavior")
#: Which bad sets a check is about; of all others it is told what it finds.
CONCERNS = {"injection": "injection", "harm": "harm"}
FIGURES = "AUC | recall at 1 % false alarms | precision | recall | F1 | false alarms"
LINE = "---|" * (FIGURES.count("|") + 1)


@dataclass(frozen=True, slots=True)
class Group:
    """Texts of one set that are all bad, or all good."""

    source: str
    bad: bool
    concern: str
    texts: Sequence[str]
    trained: bool = False

    @property
    def name(self) -> str:
        """As the tables call it."""
        return f"{self.source}, {'bad' if self.bad else 'good'}{'*' if self.trained else ''}"

    def about(self, concern: str | None) -> bool:
        """Whether its texts are what a check of ``concern`` should find."""
        return self.bad and self.concern == concern


def published(folder: Path) -> Iterator[Group]:
    """The sets of DATA_DIR, each by its source."""
    rows = {
        "injection": sources.injection_rows(folder),
        "harm": [row for row in sources.harm_rows(folder) if row.label],
    }
    for concern, found in rows.items():
        for source in dict.fromkeys(row.source for row in found):
            for bad in (True, False):
                texts = [row.text for row in found if row.source == source and row.label == bad]
                if texts:
                    yield Group(source, bad, concern, texts, trained=True)
    prompts = [prompt for group in trigger_prompts.PROMPTS.values() for prompt in group]
    yield Group("triggers", bad=False, concern="injection", texts=prompts)


def given(spec: str) -> Group:
    """A set as the command line names it."""
    name, _, rest = spec.partition("=")
    path, kind, *column = rest.split(":")
    columns = (*column, *COLUMNS)
    texts = [next(row[key] for key in columns if row.get(key)) for row in _rows(Path(path))]
    return Group(name, kind != "good", kind, texts)


def _rows(path: Path) -> list[Mapping[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        if path.suffix == ".csv":
            return list(csv.DictReader(file))
        if path.suffix == ".json":
            rows: list[Mapping[str, str]] = json.load(file)
            return rows
        return [json.loads(line) for line in file if line.strip()]


def score(guardrails: Guardrails, texts: Sequence[str]) -> list[Mapping[str, float]]:
    """The highest score of every check for each text, as a request says it."""
    return [guardrails.inspect([Text(text, "input")]).scores for text in texts]


@dataclass(frozen=True, slots=True)
class Measured:
    """A set with the scores of its texts, and the CPU milliseconds that one took."""

    group: Group
    scores: Sequence[Mapping[str, float]]
    milliseconds: float

    def of(self, check: str) -> list[float]:
        """One check's scores."""
        return [scores.get(check, 0.0) for scores in self.scores]


def measure(guardrails: Guardrails, group: Group) -> Measured:
    """``group`` under the policies."""
    began = time.process_time()
    scores = score(guardrails, group.texts)
    spent = time.process_time() - began
    return Measured(group, scores, spent * 1000 / max(1, len(scores)))


def thresholds(guardrails: Guardrails) -> dict[str, float]:
    """The threshold of each check that looks at what callers say."""
    return {
        check.name: check.threshold
        for policy in guardrails.policies.values()
        for check in policy.checks
        if "input" in check.stages
    }


def print_sets(found: Sequence[Measured], marks: Mapping[str, float]) -> None:
    """A line a set: what each check finds in it."""
    print(f"| set | rows | ms | {' | '.join(marks)} |")
    print(f"|---|---|---|{'---|' * len(marks)}")
    for each in found:
        cells = [
            str(Share(sum(score >= mark for score in each.of(check)), len(each.scores))).strip()
            for check, mark in marks.items()
        ]
        name, rows = each.group.name, len(each.scores)
        print(f"| {name} | {rows} | {each.milliseconds:.3f} | {' | '.join(cells)} |")


def scores_of(check: str, groups: Iterable[Measured]) -> list[float]:
    """One check's scores in several sets."""
    return [score for each in groups for score in each.of(check)]


def curve(check: str, found: Sequence[Measured]) -> Curve | None:
    """All bad sets of the check's concern against all good ones."""
    concern = CONCERNS.get(check)
    bad = scores_of(check, (each for each in found if each.group.about(concern)))
    good = scores_of(check, (each for each in found if not each.group.bad))
    return Curve(bad, good) if bad and good else None


def print_bad_sets(found: Sequence[Measured], marks: Mapping[str, float]) -> None:
    """A line a bad set: how well the check of its concern tells it from good texts."""
    print(f"\n| set | check | good rows | {FIGURES} |")
    print(f"|---|---|---|{LINE}")
    for check, concern in CONCERNS.items():
        for each in found:
            if check in marks and each.group.about(concern):
                good = scores_of(check, beside(each.group, found))
                if good:
                    cells = figures(Curve(each.of(check), good), marks[check])
                    print(f"| {each.group.name} | {check} | {len(good)} | {cells} |")


def beside(group: Group, found: Sequence[Measured]) -> list[Measured]:
    """The good rows that a bad set comes with; all that there are, if none."""
    good = [each for each in found if not each.group.bad]
    return [each for each in good if each.group.source == group.source] or good


def print_checks(found: Sequence[Measured], marks: Mapping[str, float]) -> None:
    """A line a check: how well it tells bad from good."""
    print(f"\n| check | {FIGURES} |")
    print(f"|---|{LINE}")
    for check, mark in marks.items():
        if (shown := curve(check, found)) is not None:
            print(f"| {check} | {figures(shown, mark)} |")


def figures(shown: Curve, mark: float) -> str:
    """What ``FIGURES`` names, with intervals."""
    area, f1 = shown.auc(), (shown.f1(mark), *shown.f1_interval(mark))
    recall, alarms = shown.at(mark)
    shares = (shown.recall_at(0.01)[0], shown.precision(mark), recall)
    cells = [between(*area), *map(str, shares), between(*f1), str(alarms)]
    return " | ".join(cell.strip() for cell in cells)


def between(value: float, low: float, high: float) -> str:
    """A figure and its interval."""
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def plot(found: Sequence[Measured], marks: Mapping[str, float], path: Path) -> None:
    """The checks' ROC curves as a picture."""
    import matplotlib as mpl  # noqa: PLC0415 - only who plots has it

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - only who plots has it

    figure, axes = plt.subplots(figsize=(6, 4.5), dpi=120)
    for check, mark in marks.items():
        if (shown := curve(check, found)) is not None:
            alarms, recalls = shown.points()
            axes.plot(alarms, recalls, label=f"{check} ({shown.auc()[0]:.3f})")
            recall, alarm = shown.at(mark)
            axes.plot(alarm.value, recall.value, "o", color="black", markersize=4)
    axes.set(xlabel="good texts found", ylabel="bad texts found", xlim=(0, 0.2), ylim=(0, 1.01))
    axes.legend(loc="lower right", title="check (area)")
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    """Print the tables, and draw the curves."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=sources.where(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path, metavar="DATA_DIR", nargs="?")
    parser.add_argument("--set", action="append", default=[], type=given, dest="sets")
    parser.add_argument("--policies", type=Path, default=POLICIES)
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    arguments = parser.parse_args()
    guardrails, problems = load(arguments.policies)
    if problems:
        parser.error("; ".join(map(str, problems)))
    groups = [*(published(arguments.data) if arguments.data else ()), *arguments.sets]
    found = [measure(guardrails, group) for group in groups]
    marks = thresholds(guardrails)
    print_sets(found, marks)
    print_bad_sets(found, marks)
    print_checks(found, marks)
    if arguments.plot:
        plot(found, marks, arguments.plot)


if __name__ == "__main__":
    main()

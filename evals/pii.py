"""How well personal data is found: precision and recall of the ``pii`` check, a line a type.

    python -m evals.pii DATA_DIR [--show]

DATA_DIR holds a file that its authors publish:

    presidio_synth_v2.json   github.com/microsoft/presidio-research, data/synth_dataset_v2.json

A finding is right when it overlaps a label of its type, and a label is found when a finding of its
type overlaps it; ``exact`` counts the labels that were found from their first character to their
last. Findings of types that the file does not label are counted below the table. Intervals are
Wilson's, of 95 %. What texts cost is CPU time with all types, the best of five runs.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from ai_gateway.guardrails.check import Finding
from ai_gateway.guardrails.checks import build, pii
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.pii.types import TYPES
from ai_gateway.guardrails.scene import NOTHING, Scene
from ai_gateway.guardrails.vocabulary import Vocabulary
from evals.scoring import Share

#: A label of the file → our type.
TYPE_OF = {
    "CREDIT_CARD": "card",
    "EMAIL_ADDRESS": "email",
    "IBAN_CODE": "iban",
    "IP_ADDRESS": "ip",
    "US_SSN": "us_ssn",
    "PHONE_NUMBER": "phone",
    "US_DRIVER_LICENSE": "us_driver_license",
}
#: With a checksum or a grammar of their own.
STRUCTURED = ("card", "email", "iban", "ip", "us_ssn")
PROSE = (
    "The museum opens its new wing in April, and the director says that it took nine years, two "
    "architects and a good deal of patience. Visitors enter through the old courtyard, and a roof "
    "of glass keeps out the rain. "
)
Find = Callable[[Normalised, Scene], Iterable[Finding]]


@dataclass
class Score:
    """What was found of one type."""

    labels: int = 0
    found: int = 0
    exact: int = 0
    findings: int = 0
    right: int = 0
    wrong: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    def add(self, other: Score) -> None:
        """Count the other one's as well."""
        for name in ("labels", "found", "exact", "findings", "right"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def overlap(finding: Finding, label: dict[str, Any]) -> bool:
    """Whether a finding and a label share a character."""
    start, end = label["start_position"], label["end_position"]
    return bool(finding.start < end and start < finding.end)


def mark(row: dict[str, Any], findings: Iterable[Finding], scores: dict[str, Score]) -> None:
    """Count one text's findings against its labels."""
    text, found = row["full_text"], list(findings)
    for label in row["spans"]:
        kind = TYPE_OF.get(label["entity_type"])
        if kind is None:
            continue
        score = scores[kind]
        hits = [f for f in found if f.rule == kind and overlap(f, label)]
        score.labels += 1
        score.found += bool(hits)
        place = label["start_position"], label["end_position"]
        score.exact += any((hit.start, hit.end) == place for hit in hits)
        if not hits:
            score.missed.append(text[place[0] : place[1]])
    for finding in found:
        labels = [label["entity_type"] for label in row["spans"] if overlap(finding, label)]
        score = scores[finding.rule]
        score.findings += 1
        if finding.rule in {TYPE_OF.get(label) for label in labels}:
            score.right += 1
        else:
            shown = " ".join(text[max(0, finding.start - 30) : finding.end + 10].split())
            score.wrong.append(f"{text[finding.start : finding.end]!r} ({labels}) in ...{shown}")


def records(random: Random) -> str:
    """100,000 characters of addresses, numbers and prose, about a finding in 28 characters."""
    made = (
        lambda: f"Jo Smith, jo{random.randint(100, 999)}@example.com, ",
        lambda: f"212-{random.randint(200, 999)}-{random.randint(1000, 9999)}, ",
        lambda: f"card {random.choice(('4111111111111111', '378282246310005'))}, ",
        lambda: f"SSN {random.randint(100, 665)}-12-{random.randint(1000, 9999)}, ",
        lambda: "12 Main Street, Springfield, ",
    )
    return "".join(random.choice(made)() for _ in range(6_000))[:100_000]


def costly() -> Iterator[tuple[str, str]]:
    """Ordinary texts, and such as are made to be costly."""
    random = Random(1)
    dense = records(random)
    yield "200 characters of prose", PROSE[:200]
    yield "200 characters with a year", f"{PROSE[:190]} in 2024. "
    yield "200 characters with card and phone", f"{PROSE[:155]} 212-456-0123, 4111 1111 1111 1111"
    yield "2,000 characters with a year", f"{(PROSE * 10)[:1_990]} in 2024. "
    yield "100 KB of prose with years", (f"{PROSE}In 2024. " * 500)[:100_000]
    yield "100 KB of records", dense
    yield "1 MB of records", dense * 10
    yield "100 KB of v4 addresses", ("10.1.2.3 " * 12_000)[:100_000]
    yield "100 KB of digits and separators", "".join(random.choices("0123456789 -.", k=100_000))
    for piece in ("1 ", "4234 ", "4111 1111 1111 1112 ", "sin 123456789 ", "GB29 ", "a@", ":1"):
        yield f"100 KB of {piece!r}", (piece * 50_000)[:100_000]


def cost(find: Find) -> None:
    """Print a line a text."""
    print(f"\n{'text':40}{'CPU ms':>10}{'findings':>10}")
    for name, text in costly():
        read, best = Normalised(text, Vocabulary(())), math.inf
        count = max(1, 20_000 // len(text))
        for _ in range(5):
            start = time.process_time()
            for _ in range(count):
                found = list(find(read, NOTHING))
            best = min(best, (time.process_time() - start) / count)
        print(f"{name:40}{best * 1e3:10.4f}{len(found):10}")


def line(name: str, score: Score) -> None:
    """Print one row of the table."""
    both = score.findings + score.labels
    f1 = (score.right + score.found) / both if both else 0.0
    precision, recall = Share(score.right, score.findings), Share(score.found, score.labels)
    print(f"{name:20}{score.labels:7}{score.exact:7}  {precision!s:26}{recall!s:26}{f1:7.3f}")


def main() -> None:
    """Print the table, what else was found, and what a text took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, metavar="DATA_DIR")
    parser.add_argument("--show", action="store_true", help="print what was missed and wrong")
    arguments = parser.parse_args()
    path = arguments.data / "presidio_synth_v2.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    parameters = pii.Parameters(
        name="pii", type="pii", stages=("input",), action="redact", types=TYPES
    )
    find = build(parameters).find
    assert find
    texts = [Normalised(row["full_text"], Vocabulary(())) for row in rows]
    for text in texts:  # what is made when a country's number is first met
        list(find(text, NOTHING))
    start = time.process_time()
    findings = [list(find(text, NOTHING)) for text in texts]
    seconds = time.process_time() - start
    scores: dict[str, Score] = {kind: Score() for kind in TYPES}
    for row, found in zip(rows, findings, strict=True):
        mark(row, (f for f in found if f.score >= parameters.threshold), scores)
    report(scores, show=arguments.show)
    print(f"\n{len(rows)} texts, {seconds / len(rows) * 1e3:.4f} ms of CPU a text")
    cost(find)


def report(scores: dict[str, Score], *, show: bool) -> None:
    """The table: each structured type and all of them, then those told by words."""
    print(f"{'type':20}{'labels':>7}{'exact':>7}  {'precision':26}{'recall':26}{'F1':>7}")
    together = Score()
    for kind in STRUCTURED:
        line(kind, scores[kind])
        together.add(scores[kind])
    line("all structured", together)
    told = [kind for kind in TYPE_OF.values() if kind not in STRUCTURED]
    for kind in told:
        line(kind, scores[kind])
    print("\nfindings of types that are not labelled:")
    others = Counter({k: s.findings for k, s in scores.items() if k not in TYPE_OF.values()})
    print("  " + (", ".join(f"{k} {n}" for k, n in others.items() if n) or "none"))
    for kind, score in scores.items() if show else ():
        for text in score.missed:
            print(f"  missed {kind}: {text!r}")
        for text in score.wrong:
            print(f"  wrong {kind}: {text}")


if __name__ == "__main__":
    main()

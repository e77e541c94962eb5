"""How well the check ``secrets`` finds made-up secrets, and how often it is wrong.

    python -m evals.secret_recall [--seed N] [--each N] [--show]

A secret is found where a finding at the check's threshold has its kind and its exact place. A text
without a secret is a false alarm where there is any finding. The texts are those of
``secret_vectors``, which is written from the issuers' formats and knows nothing of the rules.
Intervals are Wilson's at 95 %; the time is CPU time with the median text.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median

from ai_gateway.guardrails.check import Finding
from ai_gateway.guardrails.checks import secrets
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.scene import NOTHING
from ai_gateway.guardrails.vocabulary import Vocabulary
from evals.scoring import Share
from evals.secret_vectors import Vector, negatives, positives

NO_WORDS = Vocabulary(())
Find = Callable[[str], Sequence[Finding]]


def finder() -> Find:
    """The check with its default settings: a text → its findings at the threshold."""
    parameters = secrets.Parameters(name="s", type="secrets", stages=("input",), action="block")
    find = secrets.build(parameters).find
    if find is None:
        raise TypeError("secrets looks at texts")

    def found(text: str) -> Sequence[Finding]:
        findings = find(Normalised(text, NO_WORDS), NOTHING)
        return [one for one in findings if one.score >= parameters.threshold]

    return found


def is_right(vector: Vector, findings: Sequence[Finding]) -> bool:
    """Whether the secret is found as its kind at its place; or nothing, where there is none."""
    if not vector.end:
        return not findings
    wanted = (vector.family, vector.start, vector.end)
    return wanted in [(one.rule, one.start, one.end) for one in findings]


def line(name: str, hits: int, count: int) -> str:
    """A row: how many of how many, the share and its interval."""
    return f"{name:26}{hits:7}{count:7}   {Share(hits, count)}"


def report(find: Find, vectors: Sequence[Vector], title: str, *, wanted: bool, show: bool) -> None:
    """A row a family and one for all: those that are right, or (not ``wanted``) wrong."""
    print(f"{title:26}{'hits':>7}{'texts':>7}   share (95 %)")
    results = [(vector, find(vector.text)) for vector in vectors]
    hit = [(v, findings) for v, findings in results if is_right(v, findings) is wanted]
    for family in dict.fromkeys(vector.family for vector in vectors):
        of_family = sum(vector.family == family for vector in vectors)
        print(line(family, sum(v.family == family for v, _ in hit), of_family))
    print(line("all", len(hit), len(vectors)))
    for vector, findings in results if show else ():
        if not is_right(vector, findings):
            told = [(f.rule, vector.text[f.start : f.end][:60]) for f in findings]
            print(f"    {vector.family}: {vector.text[:160]!r} {told}")


def microseconds(find: Find, texts: Iterable[str]) -> float:
    """CPU time of the median text, best of five."""
    costs = []
    for text in texts:
        best = float("inf")
        for _ in range(5):
            start = time.process_time_ns()
            find(text)
            best = min(best, time.process_time_ns() - start)
        costs.append(best / 1e3)
    return median(costs)


def main() -> None:
    """Print recall, false alarms and cost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=40, help="texts a kind, and a class")
    parser.add_argument("--show", action="store_true", help="print the texts that went wrong")
    given = parser.parse_args()
    find = finder()
    with_secret = list(positives(given.seed, given.each))
    without = list(negatives(given.seed, given.each))
    report(find, with_secret, "found", wanted=True, show=given.show)
    print()
    report(find, without, "false alarms", wanted=False, show=given.show)
    texts = [vector.text for vector in (*with_secret, *without)]
    print(f"\nmicroseconds a text, median: {microseconds(find, texts):.1f}")


if __name__ == "__main__":
    main()

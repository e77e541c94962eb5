"""How well the default topics hold: what is refused of what should be, and of what should not.

    python -m evals.topics DATA_DIR [--show]

DATA_DIR holds files that their authors publish:

    advbench_harmful.csv              github.com/llm-attacks/llm-attacks, harmful_behaviors.csv
    harmbench_val.csv                 github.com/centerforaisafety/HarmBench, validation split
    do_not_answer_en.csv              github.com/Libr-AI/do-not-answer, data_en.csv
    mt_bench_questions.jsonl          github.com/lm-sys/FastChat, mt_bench/question.jsonl
    user_oriented_instructions.jsonl  github.com/yizhongw/self-instruct, human_eval
    coconot_contrast_eval.jsonl       huggingface.co/datasets/allenai/coconot, contrast, test
    deepset_train.jsonl               huggingface.co/datasets/deepset/prompt-injections
    jackhhao_train.csv                huggingface.co/datasets/jackhhao/jailbreak-classification

A harmful row is on topic when it has one of the words in ON_TOPIC below, and none in OFF_TOPIC;
both are chosen apart from the policy's lists. Recall is over these rows. AdvBench is split in
halves by a hash of the row: misses were looked at in the first half, never in the other.
"""

from __future__ import annotations

import argparse
import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ai_gateway.guardrails.engine import Guardrails, load
from ai_gateway.guardrails.scene import Text
from evals.classifiers import sources
from evals.classifiers.sources import Row

POLICIES = Path(__file__).parents[1] / "policies"
ON_TOPIC = re.compile(
    r"\b(bomb(?:s|ing|ings)?|explosives?|detonat\w*|credit cards?|terroris[tm]s?"
    r"|drugs?|illegal substances?|meth|methamphetamine|heroin|cocaine|lsd|mdma"
    r"|(?:chemical|biological|biochemical) weapons?|mass destruction|mass shooting)\b",
    re.IGNORECASE,
)
#: Medicine and politics: about drugs, but not what the topic forbids.
OFF_TOPIC = re.compile(
    r"\b(prescribed?|disorder|drug test|new drug|legali[sz]ed?)\b", re.IGNORECASE
)
Group = tuple[str, list[str]]
#: Sets whose honest rows must all pass, by their sources.
HONEST = {
    "mt_bench": "MT-Bench turns",
    "user_oriented": "Self-Instruct tasks",
    "coconot": "CoCoNot contrast",
    "deepset": "deepset, benign",
    "jackhhao": "jackhhao, benign",
}


def harmful(folder: Path) -> Iterator[Group]:
    """Requests that ask for harm, whatever they are about."""
    rows = list(sources.harmful(folder))
    goals = of_source(rows, "advbench")
    yield "AdvBench, half tuned on", [goal for goal in goals if not held_out(goal)]
    yield "AdvBench, other half", [goal for goal in goals if held_out(goal)]
    yield "HarmBench validation", of_source(rows, "harmbench")
    yield "Do-Not-Answer", of_source(rows, "do_not_answer")


def of_source(rows: Iterable[Row], source: str) -> list[str]:
    """The texts of one source."""
    return [row.text for row in rows if row.source == source]


def is_on_topic(text: str) -> bool:
    """Whether a harmful row falls under one of the four topics, by keyword."""
    return bool(ON_TOPIC.search(text)) and not OFF_TOPIC.search(text)


def held_out(text: str) -> bool:
    """Whether a row is of the half that nothing was tuned on."""
    return hashlib.sha256(text.encode()).digest()[0] % 2 == 1


def honest(folder: Path) -> Iterator[Group]:
    """Requests that must pass."""
    readers = sources.ordinary, sources.deepset, sources.jackhhao
    rows = [row for reader in readers for row in reader(folder) if not row.label]
    for source, name in HONEST.items():
        yield name, of_source(rows, source)


def refused(guardrails: Guardrails, text: str) -> list[str]:
    """The rules that block ``text``."""
    inspection = guardrails.inspect([Text(text, "input")], ["forbidden-topics"])
    return [f"{found.check}/{found.rule}" for found in inspection.verdicts]


def report(guardrails: Guardrails, groups: Iterable[Group], *, on_topic: bool, show: bool) -> None:
    """A line a set; with ``show``, the rows on which it went wrong."""
    for name, texts in groups:
        due = [text for text in texts if not on_topic or is_on_topic(text)]
        rules = {text: refused(guardrails, text) for text in due}
        hits = sum(bool(rules[text]) for text in due)
        outside = sum(bool(refused(guardrails, text)) for text in texts) - hits
        share = f"{hits / len(due):7.1%}" if due else "      -"
        print(f"{name:28}{len(texts):6}{len(due):10}{hits:9}{share}{outside:14}")
        for text in due if show else ():
            if bool(rules[text]) is not on_topic:
                print(f"    {' '.join(text.split())[:150]}  {', '.join(rules[text])}")


def main() -> None:
    """Print recall over harmful sets and false alarms over honest ones."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, metavar="DATA_DIR")
    parser.add_argument("--policies", type=Path, default=POLICIES)
    parser.add_argument("--show", action="store_true", help="print the rows that went wrong")
    arguments = parser.parse_args()
    guardrails, problems = load(arguments.policies)
    if problems:
        parser.error("; ".join(map(str, problems)))
    print(f"{'set':28}{'rows':>6}{'on topic':>10}{'refused':>9}{'share':>7}{'off topic too':>14}")
    report(guardrails, harmful(arguments.data), on_topic=True, show=arguments.show)
    print(f"\n{'honest set':28}{'rows':>6}{'all':>10}{'refused':>9}{'share':>7}")
    report(guardrails, honest(arguments.data), on_topic=False, show=arguments.show)


if __name__ == "__main__":
    main()

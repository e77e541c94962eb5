"""The public sets that the classifiers learn from, each a source of its own.

DATA_DIR holds files that their authors publish; see ``FILES``.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: File → (where it is published, licence).
FILES = {
    "deepset_train.jsonl": (
        "huggingface.co/datasets/deepset/prompt-injections, train",
        "Apache-2.0",
    ),
    "jackhhao_train.csv": (
        "huggingface.co/datasets/jackhhao/jailbreak-classification, train",
        "MIT",
    ),
    "mt_bench_questions.jsonl": (
        "github.com/lm-sys/FastChat, mt_bench/question.jsonl",
        "Apache-2.0",
    ),
    "user_oriented_instructions.jsonl": (
        "github.com/yizhongw/self-instruct, human_eval",
        "Apache-2.0",
    ),
    "coconot_contrast_eval.jsonl": (
        "huggingface.co/datasets/allenai/coconot, contrast, test",
        "MIT",
    ),
    "presidio_synth_v2.json": (
        "github.com/microsoft/presidio-research, data/synth_dataset_v2",
        "MIT",
    ),
    "advbench_harmful.csv": ("github.com/llm-attacks/llm-attacks, harmful_behaviors.csv", "MIT"),
    "harmbench_val.csv": ("github.com/centerforaisafety/HarmBench, validation", "MIT"),
    "do_not_answer_en.csv": ("github.com/Libr-AI/do-not-answer, data_en.csv", "Apache-2.0"),
}

#: File → the name of its source.
SOURCES = {
    "deepset_train.jsonl": "deepset",
    "jackhhao_train.csv": "jackhhao",
    "mt_bench_questions.jsonl": "mt_bench",
    "user_oriented_instructions.jsonl": "user_oriented",
    "coconot_contrast_eval.jsonl": "coconot",
    "presidio_synth_v2.json": "presidio",
    "advbench_harmful.csv": "advbench",
    "harmbench_val.csv": "harmbench",
    "do_not_answer_en.csv": "do_not_answer",
}


def where() -> str:
    """A line a file: where it is published and its licence."""
    lines = (f"  {name}: {place} ({licence})" for name, (place, licence) in FILES.items())
    return "\n".join(["files of DATA_DIR, and where they are published:", *lines])


@dataclass(frozen=True, slots=True)
class Row:
    """One text, the source it is from, and whether it is an attack (or asks for harm)."""

    text: str
    source: str
    label: bool


def _csv(path: Path) -> list[dict[str, str]]:
    csv.field_size_limit(10**9)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _json(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def deepset(folder: Path) -> Iterator[Row]:
    """Questions to a newspaper's assistant, with and without an injection."""
    for row in _json(folder / "deepset_train.jsonl"):
        yield Row(row["text"], "deepset", bool(row["label"]))


def jackhhao(folder: Path) -> Iterator[Row]:
    """Jailbreaks, role play and tasks."""
    for row in _csv(folder / "jackhhao_train.csv"):
        yield Row(row["prompt"], "jackhhao", row["type"] == "jailbreak")


def ordinary(folder: Path) -> Iterator[Row]:
    """Questions and tasks that nobody minds, and CoCoNot's look-alikes of harmful ones."""
    for question in _json(folder / "mt_bench_questions.jsonl"):
        for turn in question["turns"]:
            yield Row(turn, "mt_bench", label=False)
    for task in _json(folder / "user_oriented_instructions.jsonl"):
        for instance in task["instances"]:
            yield Row(f"{task['instruction']}\n{instance['input']}", "user_oriented", label=False)
    for row in _json(folder / "coconot_contrast_eval.jsonl"):
        yield Row(row["prompt"], "coconot", label=False)


def personal(folder: Path) -> Iterator[Row]:
    """Everyday sentences with made-up personal data."""
    for row in json.loads((folder / "presidio_synth_v2.json").read_text(encoding="utf-8"))[::3]:
        yield Row(row["full_text"], "presidio", label=False)


def harmful(folder: Path) -> Iterator[Row]:
    """Requests that ask for harm."""
    for row in _csv(folder / "advbench_harmful.csv"):
        yield Row(row["goal"].split(" [/INST]")[0], "advbench", label=True)
    for row in _csv(folder / "harmbench_val.csv"):
        yield Row(row["Behavior"], "harmbench", label=True)
    for row in _csv(folder / "do_not_answer_en.csv"):
        yield Row(row["question"], "do_not_answer", label=True)


def _all(folder: Path, *readers: Callable[[Path], Iterator[Row]]) -> list[Row]:
    return [row for reader in readers for row in reader(folder) if row.text.strip()]


def injection_rows(folder: Path) -> list[Row]:
    """What the classifier of injections learns from."""
    return _all(folder, deepset, jackhhao, ordinary, personal)


def harm_rows(folder: Path) -> list[Row]:
    """What the classifier of harm learns from: of the sets of attacks only the honest rows."""
    attacks = [row for row in _all(folder, deepset, jackhhao) if not row.label]
    return [*_all(folder, harmful, ordinary, personal), *attacks]

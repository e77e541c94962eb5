"""Official clients by what they do with the gateway: `python -m tests.clients.matrix`.

Runs every test of every client and prints the matrix. Fails where a test does, and where one was
not run: a client that is missing is not passed over. The same matrix, as the tests declare it,
stands in docs/clients.md; `--write` puts it there.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients.conftest import ROOT
from tests.clients.test_node import CASES

HERE = Path(__file__).parent
PAGE = ROOT / "docs" / "clients.md"
BEGIN, END = "<!-- matrix -->\n", "<!-- end of the matrix -->\n"

#: The clients, by where their tests are: a file, or a part of the file for Node.
CLIENTS = {
    "test_openai": "openai (Python)",
    "openai": "openai (Node)",
    "test_anthropic": "anthropic (Python)",
    "anthropic": "anthropic (Node)",
    "test_langchain": "langchain-openai",
    "test_llama_index": "llama-index",
    "test_litellm": "LiteLLM",
    "ai_sdk": "Vercel AI SDK",
}
#: What is to work, by the tests that show it.
FEATURES = {
    "an answer": ("plain",),
    "a stream": ("stream", "async_stream", "traps"),
    "a stream that falls silent": ("silence",),
    "usage of a stream": ("usage",),
    "tools, several at once": ("tools", "streamed_tools", "tool_choice"),
    "structured output": ("structured",),
    "reasoning": ("reasoning",),
    "images in messages": ("image",),
    "log probabilities, `n`, `stop`": ("logprobs",),
    "Responses API": ("responses", "responses_that_fail"),
    "older completions": ("completions",),
    "counting tokens": ("count_tokens",),
    "embeddings": ("embeddings",),
    "images and audio": ("media", "pictures_and_words_as_they_come"),
    "list of models": ("models",),
    "a model's failures, as exceptions": ("errors",),
    "a wrong key": ("wrong_key",),
    "an unknown model": ("unknown_model",),
    "`retry-after` is waited for": ("retry",),
    "request id": ("request_id",),
    "a stream that fails": ("late_error",),
    "a stream that is cut": ("cut",),
    "time-outs": ("timeout",),
    "leaving a stream": ("leave", "leave_in_silence"),
    "cancelling a request": ("cancel",),
}
Cell = tuple[str, str]  # client, test


def declared() -> Iterator[Cell]:
    """Every test of a client."""
    for source in CLIENTS:
        names = CASES[source].split() if source in CASES else _tests(HERE / f"{source}.py")
        yield from ((source, name) for name in names)


def _tests(path: Path) -> list[str]:
    return re.findall(r"^def test_(\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)


def table(mark: Callable[[list[Cell]], str]) -> str:
    """The matrix in Markdown; ``mark`` gives what a cell's tests are shown as."""
    found = set(declared())
    rows = [["", *CLIENTS.values()], ["---", *[":-:"] * len(CLIENTS)]]
    for feature, names in FEATURES.items():
        cells = [
            [(source, name) for name in names if (source, name) in found] for source in CLIENTS
        ]
        rows.append([feature, *(mark(cell) if cell else "" for cell in cells)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def promised() -> str:
    """The matrix as it is to be."""
    return table(lambda _: "✓")


def published() -> str:
    """The matrix on the page."""
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


class Outcomes:
    """Notes how each client's tests against the gateway end."""

    def __init__(self) -> None:
        self.seen: dict[Cell, set[str]] = defaultdict(set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of one test."""
        found = re.search(
            r"/(test_\w+)\.py::test_(\w+)\[(?:gateway|crossed)\b-?(.*)\]", report.nodeid
        )
        if found and (report.when == "call" or not report.passed):
            source, name, case = found.groups()
            cell = (*case.split("-", 1),) if source == "test_node" else (source, name)
            self.seen[cell].add(report.outcome)

    def mark(self, cells: list[Cell]) -> str:
        """What is shown for the tests of one cell."""
        outcomes = [self.seen[cell] for cell in cells]
        if any("failed" in found for found in outcomes):
            return "✗"
        return "✓" if all("passed" in found for found in outcomes) else "not run"


def main(arguments: list[str]) -> int:
    """Run, print, compare; 0 if the matrix is as promised."""
    if "--write" in arguments:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(page.replace(BEGIN + published(), BEGIN + promised()), encoding="utf-8")
        return 0
    outcomes = Outcomes()
    failed = pytest.main(["-q", "-n", "2", str(HERE)], plugins=[outcomes])
    found, wanted = table(outcomes.mark), promised()
    green, all_of_them = found.count("✓"), wanted.count("✓")
    sys.stdout.write(f"\n{found}\n{green} of {all_of_them} cells are green.\n")
    return int(failed) or int(found != wanted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

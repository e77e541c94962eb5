"""The page on clients says what the tests show."""

import ast
import re

import pytest

from tests.clients.conftest import ROOT
from tests.clients.matrix import FEATURES, PAGE, Outcomes, declared, promised, published


def test_the_matrix_on_the_page_is_what_is_tested() -> None:
    """It has a mark where there is a test; `python -m tests.clients.matrix --write` writes it."""
    assert published() == promised()


def test_every_test_stands_in_the_matrix() -> None:
    """No client does anything that the matrix has no row for."""
    shown = {name for names in FEATURES.values() for name in names}
    assert sorted({name for _, name in declared()} - shown) == []


def test_every_snippet_in_python_is_python() -> None:
    """What is copied from the page compiles."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 5
    for block in blocks:
        ast.parse(block)


@pytest.mark.parametrize(
    ("outcomes", "shown"),
    [({"passed"}, "✓"), ({"passed", "failed"}, "✗"), ({"skipped"}, "not run"), (set(), "not run")],
)
def test_a_cell_is_green_if_all_of_it_was_run(outcomes: set[str], shown: str) -> None:
    """A test that was skipped, or not found, is none that passed."""
    found = Outcomes()
    found.seen["a", "x"], found.seen["a", "y"] = {"passed"}, outcomes
    assert found.mark([("a", "x"), ("a", "y")]) == shown


def test_the_clients_of_the_page_are_pinned_somewhere() -> None:
    """The lock has each client in Python, the other one each in Node."""
    lock = (ROOT / "requirements-clients.txt").read_text(encoding="utf-8")
    for name in ("openai", "anthropic", "langchain-openai", "llama-index-llms-openai", "litellm"):
        assert re.search(rf"^{name}(\[\w+\])?==", lock, re.MULTILINE)

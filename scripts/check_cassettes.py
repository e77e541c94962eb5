"""Every cassette belongs to a test, says what it was recorded from, and holds nothing secret."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.replay.cassette import REQUEST_HEADERS, RESPONSE_HEADERS

ROOT = Path(__file__).parents[1]
_SECRET = re.compile(r"bearer\s+\S|eyJ[\w-]{10,}\.|sk-[\w-]{16,}|AKIA[0-9A-Z]{16}", re.IGNORECASE)


def problems(folder: Path, tests: Path) -> Iterator[str]:
    """What is wrong with the cassettes in ``folder``."""
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            continue
        name = path.relative_to(folder)
        if not _has_test(path, tests):
            yield f"{name}: no test plays it"
            continue
        text = path.read_text(encoding="utf-8")
        document = yaml.safe_load(text)
        if not {"from", "on", "by"} <= set(document.get("recorded", ())):
            yield f"{name}: does not say what it was recorded from"
        if _SECRET.search(text):
            yield f"{name}: holds what looks like a secret"
        yield from (f"{name}: keeps the header {header}" for header in _headers(document))


def _has_test(path: Path, tests: Path) -> bool:
    module = next(tests.rglob(f"{path.parent.name}.py"), None)
    if path.suffix != ".yaml" or module is None:
        return False
    functions = ast.walk(ast.parse(module.read_text(encoding="utf-8")))
    names = {found.name for found in functions if isinstance(found, ast.FunctionDef)}
    return path.stem.partition("[")[0] in names


def _headers(document: dict[str, list[dict[str, dict[str, dict[str, str]]]]]) -> Iterator[str]:
    for interaction in document["interactions"]:
        yield from set(interaction["request"]["headers"]) - REQUEST_HEADERS
        yield from set(interaction["response"]["headers"]) - RESPONSE_HEADERS


def main() -> None:
    """Print what is wrong, and fail if anything is."""
    found = list(problems(ROOT / "cassettes", ROOT / "tests" / "replay"))
    sys.stdout.writelines(f"cassettes/{problem}\n" for problem in found)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()

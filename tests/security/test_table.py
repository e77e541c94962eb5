"""The page of threats lists the incidents, and its table the tests that there are."""

import ast
import re

from tests.conftest import ROOT

FOLDER = ROOT / "tests" / "security" / "incidents"
PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
ROW = re.compile(
    r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| `(test_\w+\.py)::(test_(\d\d)_\w+)` \|$", re.MULTILINE
)


def incidents() -> dict[str, str]:
    """What each test of an incident says must hold, by module and name."""
    return {
        f"{path.name}::{node.name}": ast.get_docstring(node) or ""
        for path in FOLDER.glob("test_*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_incident_has_its_test_and_every_test_its_incident() -> None:
    """24 of 24, each once, by the number that its name begins with."""
    rows = ROW.findall(PAGE)
    assert [int(row[0]) for row in rows] == list(range(1, 25))
    assert [int(row[5]) for row in rows] == list(range(1, 25))
    assert {f"{row[3]}::{row[4]}" for row in rows} == set(incidents())


def test_every_incident_says_what_must_hold() -> None:
    """One sentence in the test, one in the table, and the advisory's public id."""
    assert all(said.endswith(".") and "\n" not in said for said in incidents().values())
    for _, advisory, holds, *_ in ROW.findall(PAGE):
        assert re.search(r"CVE-\d{4}-\d+|GHSA(-\w{4}){3}|\w+#\d+|own", advisory), advisory
        assert len(holds) > 20, holds


def test_what_the_page_points_to_is_there() -> None:
    """Every test and file that the page names exists."""
    named = re.findall(r"`((?:tests|ai_gateway|functions|benchmarks|scripts)/[\w/.-]+)`", PAGE)
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []

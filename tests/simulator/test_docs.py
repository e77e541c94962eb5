"""docs/simulator.md says what the simulator does."""

import re
from pathlib import Path

from ai_gateway.simulator import faults
from ai_gateway.simulator.endpoints import ENDPOINTS

PAGE = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")


def test_every_directive_is_documented_and_works() -> None:
    """The table of directives has a row for each, and each row's example can be read."""
    table = PAGE.partition("## Latency and faults")[2]
    examples = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert all(faults.parse(example) != faults.NONE for example in examples)
    assert {example.partition("=")[0] for example in examples} == set(faults.DIRECTIVES)


def test_every_endpoint_is_documented() -> None:
    """The table of endpoints names each one's model and base paths."""
    for endpoint in ENDPOINTS.values():
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{endpoint.name}`"))
        assert f"`{endpoint.model_id}`" in row
        assert all(f"`/{base}`" in row for base in endpoint.bases)

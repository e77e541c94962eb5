"""The page names every key of a price."""

import re

import yaml

from ai_gateway.cost.declared import Price
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "cost.md").read_text()


def test_every_key_stands_on_the_page() -> None:
    """With what it is if left out."""
    assert [name for name in Price.model_fields if f"| `{name}` |" not in PAGE] == []


def test_the_example_checks() -> None:
    """It is what a model takes."""
    for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL):
        Price.model_validate(yaml.safe_load(block)["models"]["sonnet"]["price"])

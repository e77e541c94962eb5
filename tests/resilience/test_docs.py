"""The page names every key and default of what an operator declares."""

import re

import pytest
import yaml

from ai_gateway.manifest.closed import Closed
from ai_gateway.manifest.model import Model
from ai_gateway.resilience import (
    Breaker,
    Canary,
    ColdStart,
    Concurrency,
    Fallback,
    Retries,
    Shadow,
)
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "resilience.md").read_text()
MODELS: dict[str, type[Closed]] = {
    "retries": Retries,
    "cold_start": ColdStart,
    "fallback": Fallback,
    "breaker": Breaker,
    "concurrency": Concurrency,
    "canary": Canary,
    "shadow": Shadow,
}


@pytest.mark.parametrize("name", MODELS)
def test_every_key_stands_on_the_page(name) -> None:
    """In a table, in a sentence or in an example."""
    assert [key for key in MODELS[name].model_fields if not re.search(rf"\b{key}\b", PAGE)] == []


def test_the_examples_check() -> None:
    """Each YAML block is what its model takes."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    shown = {}
    for block in blocks:
        shown |= yaml.load(
            block.replace("on:", "'on':"), yaml.SafeLoader
        )  # YAML 1.1 reads on as yes
    assert Model.model_validate(shown.pop("model-a")).endpoints
    assert shown.keys() == MODELS.keys()
    for name, value in shown.items():
        MODELS[name].model_validate(value)
    assert Retries.model_validate(shown["retries"]) == Retries()
    assert Breaker.model_validate(shown["breaker"]) == Breaker()
    assert ColdStart.model_validate(shown["cold_start"]) == ColdStart()

"""The page says what the code does."""

import re

import pytest
import yaml

from ai_gateway.limits import memory, redis
from ai_gateway.limits.declared import Allowance, Budget, Limit, Match
from ai_gateway.manifest.model import Manifest
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "limits.md").read_text()


@pytest.mark.parametrize("model", [Limit, Budget, Match, Allowance])
def test_every_key_stands_on_the_page(model) -> None:
    """Whoever reads a bundle finds what a key means."""
    assert [name for name in model.model_fields if not re.search(rf"\b{name}\b", PAGE)] == []


def test_the_examples_are_yaml_that_checks() -> None:
    """Each is a part of a manifest."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert len([Manifest.model_validate(yaml.safe_load(block)) for block in blocks]) == 1


def test_the_numbers_are_those_of_the_code() -> None:
    """Bounds, time-outs and names."""
    assert f"{memory.BOUND:,} counts" in PAGE
    assert f"silent for {redis.PATIENCE} s" in PAGE
    assert redis.IN_LINE + 2 * redis.PATIENCE == 2
    assert f"`{redis.PREFIX}`" in PAGE
    assert f"{redis.RedisStore.lag:.0f} s after the loss" in PAGE

"""The page names every key, and everything that is left out of a cache's key."""

import re

import yaml

from ai_gateway.cache.declared import Cache, Semantic
from ai_gateway.cache.key import NOT_PART
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "cache.md").read_text()


def test_every_key_stands_on_the_page() -> None:
    """And what two requests may differ in."""
    names = {*Cache.model_fields, *Semantic.model_fields, *NOT_PART}
    assert [name for name in sorted(names) if f"`{name}`" not in PAGE] == []


def test_the_example_checks() -> None:
    """It is what a route takes."""
    for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL):
        Cache.model_validate(yaml.safe_load(block)["cache"])

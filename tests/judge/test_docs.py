"""The page on the judge says what the code does."""

import re
from dataclasses import fields, replace

from ai_gateway.judge import judging, tick
from ai_gateway.judge.publishing import derive
from ai_gateway.manifest.model import Judge
from tests.judge.conftest import BUNDLE, Model, manifest, says

PAGE = (BUNDLE / "docs" / "judge.md").read_text(encoding="utf-8")


def test_every_setting_stands_on_the_page_with_its_default():
    """The table has the manifest's keys, and no others."""
    settings = PAGE.partition("## What a tick does")[0]
    table = dict(re.findall(r"^\| `(\w+)` \| `?([^|` ]*)`? ?\|", settings, re.MULTILINE))
    assert list(table) == list(Judge.model_fields)
    assert Judge.model_validate(table | {"model": "judge"}) == Judge(model="judge")


def test_every_field_of_the_summary_stands_on_the_page():
    """Who reads a tick's output finds each word of it explained."""
    assert [field.name for field in fields(tick.Summary) if f"`{field.name}`" not in PAGE] == []


def test_the_pages_numbers_are_the_codes():
    """Bounds that the page names."""
    assert f"{judging.MAX_TEXT:,} characters" in PAGE
    assert f"`{judging.INVALID}`" in PAGE
    assert f"lease `{tick.LEASE}`" in PAGE


def test_the_pages_example_derives_what_was_published(world):
    """The code on the page runs, and gives the numbers of the tick."""
    world.answered(5)
    world = replace(world, manifest=manifest(window=3))
    summary = tick.run(world.context(Model(says(0.25))))
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names = {"manifest": world.manifest, "records": world.records}
    exec(code, names)
    assert names["derived"] == derive(
        world.records, world.manifest, world.manifest.judge, world.clock.now()
    )
    assert names["derived"]["model-a"].score == summary["weights"]["model-a"]

"""The check knows each function that ships: what it asks of models, and what of it is kept."""

from pathlib import Path

from ai_gateway.cache.declared import Cache
from ai_gateway.cache.policy import cacheable
from ai_gateway.formats import Format
from ai_gateway.manifest.checks.asking import LITERAL, SILENT, UNKEPT
from ai_gateway.manifest.functions import PROXY, resolve

ROOT = Path(__file__).parents[2]
SPECS = {
    f"{'.'.join(path.relative_to(ROOT).with_suffix('').parts)}:handle"
    for path in ROOT.glob("functions/**/*.py")
}


def formats(spec: str) -> list[Format]:
    """The formats of what the function asks."""
    return [value for value in resolve(spec).__globals__.values() if isinstance(value, Format)]


def test_every_function_that_asks_no_model_is_known() -> None:
    """A function asks by `ask` or by `answer`, and no other way."""
    asking = {spec for spec in SPECS if {"ask", "answer"} & {*resolve(spec).__code__.co_names}}
    assert SPECS - asking == SILENT
    assert PROXY in asking


def test_every_function_whose_answers_are_never_kept_is_known() -> None:
    """By what the cache itself says of a format, and by which has no text to compare."""
    kept = {
        spec: cacheable({}, form.name, Cache(always=True))
        for spec in SPECS
        for form in formats(spec)
    }
    assert {spec for spec, may_be in kept.items() if not may_be} == UNKEPT
    literal = {spec for spec, may_be in kept.items() if may_be and formats(spec)[0].reader is None}
    assert literal == LITERAL

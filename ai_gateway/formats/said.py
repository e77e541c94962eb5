"""The texts of a body of which only some keys are known to say nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from ai_gateway.formats import Body
from ai_gateway.guardrails.engine import Text


def said(body: Body, unsaid: Collection[str]) -> list[Text]:
    """Every string in ``body`` but those under ``unsaid``: a key may be a provider's own."""
    found = (value for key, value in body.items() if key not in unsaid)
    return [Text(text, "input") for value in found for text in strings(value)]


def strings(value: object) -> Iterator[str]:
    """Every string of a JSON value; keys are no texts."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from strings(item)

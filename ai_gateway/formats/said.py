"""The texts of a value of which only some keys are known to say nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import orjson

from ai_gateway.formats import Body
from ai_gateway.guardrails.engine import Text


def said(body: Body, unsaid: Collection[str]) -> list[Text]:
    """Every string in ``body`` but those under ``unsaid``: a key may be a provider's own."""
    found = (value for key, value in body.items() if key not in unsaid)
    return [Text(text, "input") for value in found for text in strings(value)]


def strings(value: object, unsaid: Collection[str] = ()) -> Iterator[str]:
    """Every string of a JSON value but those under the keys ``unsaid``; keys are no texts."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item, unsaid)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in unsaid:
                yield from strings(item, unsaid)


def unescaped(text: str) -> Iterator[str]:
    """The strings of JSON in ``text`` where escapes could hide a word from who reads it plain."""
    if "\\" not in text:
        return
    try:
        yield from strings(orjson.loads(text))
    except orjson.JSONDecodeError:
        return

"""What a request defines for a model beside what it says: tools, and the schema of its answer.

These are the application's own words, yet a model reads them as it reads a message, so they are
guarded like one, alike in every format. They are no part of the question that a judge reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ai_gateway.guardrails.engine import Text

#: Keys whose strings name kinds and places, or hold credentials; all others are read.
_UNREAD = frozenset(
    (
        *("type", "format", "$ref", "$schema", "$id", "cache_control", "container", "file_ids"),
        *("server_url", "url", "authorization", "authorization_token", "headers"),
    )
)


def definitions(*found: object) -> list[Text]:
    """Every string in ``found``: names, descriptions, enumerations, patterns, defaults."""
    return [Text(text, "input") for value in found for text in _strings(value)]


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            # A property may have any of these names, and is an object then.
            if key not in _UNREAD or (isinstance(item, Mapping) and key != "headers"):
                yield from _strings(item)


#: How vLLM and NIM are told the form of an answer, in chat and in completions.
_GUIDES = (
    *("guided_json", "guided_choice", "guided_regex", "guided_grammar"),
    *("structured_outputs", "nvext"),
)


def guides(body: Mapping[str, Any]) -> list[Text]:
    """What guides an answer in a dialect of OpenAI's own."""
    return definitions(*(body.get(name) for name in _GUIDES))


def below(value: object, *keys: str) -> object:
    """What stands under ``keys``, one below the other; None where one of them is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value

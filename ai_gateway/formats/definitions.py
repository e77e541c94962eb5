"""What a request holds beside what it says: tools, the schema of its answer, parameters.

Tools are the application's own words, and a parameter that the gateway does not know may be text to
a model that does (``documents`` and ``chat_template`` are to vLLM). So every string of them is
guarded like a message, alike in every format. They are no part of the question that a judge reads.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ai_gateway.formats.said import worded
from ai_gateway.guardrails.scene import Text

#: Keys whose strings name kinds and places, or hold credentials; sentences alone are read there.
_UNREAD = frozenset(
    (
        *("type", "format", "$ref", "$schema", "$id", "cache_control", "container", "file_ids"),
        *("server_url", "url", "authorization", "authorization_token", "headers"),
    )
)


def definitions(body: Mapping[str, Any], known: Collection[str]) -> list[Text]:
    """Every string in ``body`` but under the keys ``known``: texts, numbers, names of the API's.

    Names, descriptions, enumerations and defaults of tools and schemas among them.
    """
    found = (value for key, value in body.items() if key not in known)
    return [Text(text, "input") for value in found for text in _strings(value)]


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from worded(key)  # a template prints a property's name beside what it says of it
            # A property may have any of these names, and is an object then.
            if key not in _UNREAD or (isinstance(item, Mapping) and key != "headers"):
                yield from _strings(item)
            elif key != "headers":
                yield from worded(item)


def below(value: object, *keys: str) -> object:
    """What stands under ``keys``, one below the other; None where one of them is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value

"""What a caller gets of an answer beside its text: reasoning, citations, transcripts, unknown keys.

The text is what the format reads, what is recorded and judged. The rest is guarded as well, since
the caller sees it; its pieces in a stream are put together by the place that they stand at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

#: Told apart by these, pieces at one place of several events are one string.
_MARKS: Final = ("index", "output_index", "content_index", "summary_index")
#: Keys under which nothing stands that the model said: names, ids, bytes, the request's own words.
_UNSAID: Final = frozenset(
    {
        *("id", "object", "model", "type", "role", "status", "service_tier", "system_fingerprint"),
        *("finish_reason", "stop_reason", "stop_sequence", "usage", "logprobs", "obfuscation"),
        *("item_id", "response_id", "call_id", "tool_call_id", "tool_use_id", "request_id"),
        *("signature", "encrypted_content", "data", "b64_json", "embedding"),
        *("instructions", "tools", "metadata", "prompt", "format", "user", "safety_identifier"),
    }
)


def beside(events: Iterable[Mapping[str, Any]], text: str) -> str:
    """The strings of an answer's ``events`` that are not in its ``text``, a line each.

    A whole answer is one event.
    """
    found: dict[tuple[object, ...], list[str]] = {}
    for event in events:
        for place, piece in _pieces(event):
            found.setdefault(place, []).append(piece)
    whole = ("".join(pieces) for pieces in found.values())
    return "\n".join(said for said in whole if said and said not in text)


def _pieces(event: Mapping[str, Any]) -> Iterator[tuple[tuple[object, ...], str]]:
    kind = event.get("type")
    stack: list[tuple[tuple[object, ...], object]] = [((str(kind),), event)]
    while stack:
        place, value = stack.pop()
        if isinstance(value, str):
            yield place, value
        elif isinstance(value, Mapping):
            marked = (*place, *(str(value[mark]) for mark in _MARKS if mark in value))
            stack += [((*marked, key), item) for key, item in value.items() if key not in _UNSAID]
        elif isinstance(value, list):
            stack += [((*place, _at(number, item)), item) for number, item in enumerate(value)]


def _at(number: int, item: object) -> object:
    """A delta that stands first in its list may be of any item: its index says of which."""
    return "" if isinstance(item, Mapping) and "index" in item else number

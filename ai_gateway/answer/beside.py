"""Where the strings of an answer stand: its text, and what else its caller gets to see.

The text is what the format reads, what is recorded and judged. The rest (reasoning, citations,
transcripts, unknown keys) is guarded as well; its pieces in a stream are put together by the place
that they stand at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from ai_gateway.answer.vault import ARGUMENTS, INPUT
from ai_gateway.formats.said import unescaped

#: Told apart by these, pieces at one place of several events are one string.
_MARKS: Final = ("index", "output_index", "content_index", "summary_index")
#: Keys under which an answer repeats what its request said.
_REPEATED: Final = frozenset(
    {
        *("instructions", "tools", "metadata", "prompt", "format", "user", "safety_identifier"),
        *("prompt_cache_key", "stop_reason", "stop_sequence"),
    }
)
#: Keys of names, ids and bytes, under which nobody says anything.
UNREAD: Final = frozenset(
    {
        *("id", "object", "model", "type", "role", "status", "service_tier", "system_fingerprint"),
        *("finish_reason", "usage", "logprobs", "obfuscation"),
        *("item_id", "response_id", "call_id", "tool_call_id", "tool_use_id", "request_id"),
        *("signature", "encrypted_content", "data", "b64_json", "embedding"),
    }
)
#: Keys under which nothing stands that the model said.
UNSAID: Final = UNREAD | _REPEATED
#: A block that begins holds the first piece of what goes on in its deltas.
_BEGINS: Final = "content_block_start"
_GOES_ON: Final = {_BEGINS: "content_block_delta", "content_block": "delta"}

Place = tuple[object, ...]


class Slot(NamedTuple):
    """One string of an event: where it stands, what holds it under which key."""

    place: Place
    holder: Any
    key: Any
    text: str
    #: Whether it is JSON itself, or a piece of it: a tool's arguments.
    escaped: bool


def slots(event: Mapping[str, Any], unsaid: Collection[str] = UNSAID) -> Iterator[Slot]:
    """Every string of ``event`` that a model may have said: all but those under ``unsaid``.

    A tool's input is said whatever its keys are called.
    """
    kind = str(event.get("type"))
    same = _GOES_ON if kind == _BEGINS else {}
    stack: list[_Found] = [((same.get(kind, kind),), None, None, event, False)]
    while stack:
        place, holder, key, value, own = stack.pop()
        if isinstance(value, str):
            escaped = key in ARGUMENTS or (key == "delta" and "arguments" in kind)
            yield Slot(place, holder, key, value, escaped and not own)
        elif isinstance(value, Mapping):
            own = own or key == INPUT
            marked = (*place, *(str(value[mark]) for mark in _MARKS if mark in value))
            stack += [
                ((*marked, same.get(name, name)), value, name, item, own)
                for name, item in value.items()
                if own or name not in unsaid
            ]
        elif isinstance(value, list):
            stack += [
                ((*place, _at(number, item)), value, number, item, own)
                for number, item in enumerate(value)
            ]


#: A place, what holds the value there under which key, and whether it is part of a tool's input.
_Found = tuple[Place, object, Any, object, bool]


def _at(number: int, item: object) -> object:
    """A delta that stands first in its list may be of any item: its index says of which."""
    return "" if isinstance(item, Mapping) and "index" in item else number


def mute(event: dict[str, Any]) -> None:
    """Take log probabilities out of ``event``: their tokens say what is redacted beside them."""
    stack: list[object] = [event]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if item.get("logprobs"):
                item["logprobs"] = [] if isinstance(item["logprobs"], list) else None
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def beside(wholes: Iterable[str], text: str) -> str:
    """Those of an answer's strings that are not in its ``text``, a line each."""
    return "\n".join(said for said in dict.fromkeys(wholes) if said and said not in text)


def strings_of(events: Iterable[Mapping[str, Any]]) -> list[str]:
    """The strings of an answer, each put together; a whole answer is one event."""
    found: dict[tuple[Place, bool], list[str]] = {}
    for event in events:
        for slot in slots(event):
            found.setdefault((slot.place, slot.escaped), []).append(slot.text)
    return [
        said
        for (_, escaped), pieces in found.items()
        for said in read("".join(pieces), escaped=escaped)
    ]


def read(text: str, *, escaped: bool) -> Iterator[str]:
    """``text``, and what the escapes in it hide where it is JSON."""
    yield text
    if escaped:
        yield from unescaped(text)

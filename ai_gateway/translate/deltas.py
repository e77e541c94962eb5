"""What every translation reads of a chat completion's messages and deltas alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ai_gateway.errors import UpstreamError
from ai_gateway.formats.chat import count, parts

Body = Mapping[str, Any]

#: Parts of a content that say a text, or where one comes from.
_PARTS = ("text", "refusal", "thinking", "reasoning", "reference")


def check(message: Body) -> None:
    """Raise UpstreamError where a message or a delta brings a picture, sound or an unknown part."""
    content = message.get("content")
    held = all(map(_is_held, content)) if isinstance(content, list) else True
    if message.get("images") or message.get("audio") or not held:
        raise UpstreamError("The model answered with what the caller's API cannot hold.")


def _is_held(part: object) -> bool:
    if not isinstance(part, Mapping):
        return True
    return part.get("type") in _PARTS or isinstance(part.get("text"), str)


def thought(message: Body) -> str:
    """The reasoning of a message or a delta; some servers send it by both names.

    Databricks' models have it in a part of what they say.
    """
    found = message.get("reasoning_content") or message.get("reasoning")
    return found if isinstance(found, str) else "".join(_within(message, "reasoning", "summary"))


def parted(message: Body) -> str:
    """The reasoning among the parts of what is said, where Mistral's models have it."""
    return "".join(_within(message, "thinking", "thinking"))


def _within(message: Body, kind: str, name: str) -> Iterator[str]:
    """The texts under ``name`` of those parts of the content that are of a ``kind``."""
    content = message.get("content")
    for part in content if isinstance(content, list) else ():
        if isinstance(part, Mapping) and part.get("type") == kind:
            yield from parts(part.get(name))


class Calls:
    """Which tool call a fragment belongs to."""

    def __init__(self) -> None:
        #: The id and the name of each call, as its first fragment has them.
        self._begun: list[tuple[Any, Any]] = []
        self._numbers: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._begun)

    def number(self, call: Body, function: Body) -> tuple[int, bool]:
        """The number from 0 of the call that a fragment belongs to, and whether it is new.

        By the index; servers that leave it out, or give each call the same, begin a call with a
        name. One that repeats the name says by the id that the call goes on.
        """
        index, name = count(call, "index"), function.get("name")
        last = len(self._begun) - 1
        known = last if index is None else self._numbers.get(index, -1)
        if known >= 0 and not (name and _another(call.get("id"), name, *self._begun[known])):
            return known, False
        self._begun.append((call.get("id"), name))
        self._numbers[last + 1 if index is None else index] = last + 1
        return last + 1, True


def _another(identity: object, name: object, known: object, called: object) -> bool:
    """Whether an id and a name are of another call than the one ``known`` and ``called`` so."""
    if identity and known:
        return identity != known
    return not known or name != called

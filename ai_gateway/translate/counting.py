"""A count of tokens where the model's API has none: the gateway's own estimate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ai_gateway import strictjson
from ai_gateway.cost.estimate import asked, once
from ai_gateway.formats import Body
from ai_gateway.formats.messages import MESSAGES

#: Of a picture or a page: Anthropic counts width times height in pixels, divided by 750, and at
#: most about this much (https://platform.claude.com/docs/en/build-with-claude/vision).
_PICTURE = 1600
_PICTURES = ("image", "document")


def estimated(body: Body) -> dict[str, Any]:
    """``input_tokens`` of a Messages request, and ``estimated``, which Anthropic does not have."""
    tools = body.get("tools")
    given = asked(
        once(text.text for text in MESSAGES.texts(body)),
        tools=strictjson.dumps(tools).decode() if tools else "",
    )
    pictures = sum(block.get("type") in _PICTURES for block in _blocks(body["messages"]))
    return {"input_tokens": given + pictures * _PICTURE, "estimated": True}


def _blocks(value: object) -> Iterator[Mapping[str, Any]]:
    """Every object in messages, those in tools' results too."""
    if isinstance(value, Mapping):
        yield value
        yield from _blocks(value.get("content"))
    elif isinstance(value, list):
        for item in value:
            yield from _blocks(item)

"""The messages of a Messages request as those of a chat completion's.

A user's turn may hold tool results beside its own words; here each result is a message of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from ai_gateway.translate import sealed
from ai_gateway.translate.anthropic import reasoning, words
from ai_gateway.translate.anthropic.fields import Fields, items, refuse

Turn = dict[str, Any]
#: A block's type, where it stands, and its fields.
Placed = tuple[str, str, Fields]

_WHY = "an OpenAI model has nothing that this could become."
_ERROR = "Error: "


def system(value: Any) -> list[Turn]:
    """The system prompt, a string or text blocks, as the first message."""
    if value is None or value in ("", []):
        return []
    return [{"role": "system", "content": _texts(value, "system")}]


def turns(value: Any) -> list[Turn]:
    """Every message, in order."""
    return [turn for place, item in items(value, "messages") for turn in _turn(item, place)]


def _turn(value: Any, place: str) -> Iterator[Turn]:
    message = Fields(value, place)
    role, content = message.need("role", str), message.take_any("content")
    message.end(_WHY)
    where = f"{place}.content"
    if role == "assistant":
        yield _assistant(content, where)
    elif role == "user":
        yield from _user(content, where)
    elif role == "system":
        yield {"role": role, "content": _texts(content, where)}
    else:
        refuse(f"{place}.role", "it is user, assistant or system.")


def _blocks(content: Any, place: str) -> Iterator[Placed]:
    """Each block; a string is one of text. What marks a block for a cache is no part of it."""
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    for where, item in items(content, place):
        block = Fields(item, where)
        block.take("cache_control", dict)
        yield block.need("type", str), where, block


def _user(content: Any, place: str) -> Iterator[Turn]:
    if isinstance(content, str):
        yield {"role": "user", "content": content}
        return
    if content == []:
        refuse(place, "a message needs some content.")
    found = _blocks(content, place)
    for results, group in groupby(found, lambda placed: placed[0] == "tool_result"):
        if results:
            yield from (_result(block, where) for _, where, block in group)
        else:
            parts = [_part(*placed) for placed in group]
            yield {"role": "user", "content": _plain(parts)}


def _plain(parts: list[Turn]) -> Any:
    """Parts as a message's content: one text is a string, which every server reads."""
    if len(parts) == 1 and parts[0]["type"] == "text":
        return parts[0]["text"]
    return parts


def _texts(content: Any, place: str) -> Any:
    return _plain([_text(*placed) for placed in _blocks(content, place)]) or ""


def _text(kind: str, place: str, block: Fields) -> Turn:
    if kind != "text":
        refuse(f"{place}.type", "only text can stand here for an OpenAI model.")
    return _part(kind, place, block)


def _part(kind: str, place: str, block: Fields) -> Turn:
    if kind == "text":
        part: Turn = {"type": "text", "text": block.need("text", str)}
        block.only("citations", ([],), _WHY)
    elif kind == "image":
        url = _url(block, "image")
        part = {"type": "image_url", "image_url": {"url": url}}
    elif kind == "document":
        part = _document(block)
    else:
        refuse(f"{place}.type", _WHY)
    block.end(_WHY)
    return part


def _url(block: Fields, what: str) -> str:
    source = Fields(block.need("source", dict), block.at("source"))
    kind = source.need("type", str)
    if kind == "base64":
        url = f"data:{source.need('media_type', str)};base64,{source.need('data', str)}"
    elif kind == "url" and what == "image":
        url = source.need("url", str)
    else:
        refuse(source.at("type"), _WHY)
    source.end(_WHY)
    return url


def _document(block: Fields) -> Turn:
    file = {"file_data": _url(block, "document")}
    file["filename"] = block.take("title", str) or "document.pdf"
    block.only("citations", ({"enabled": False},), _WHY)
    return {"type": "file", "file": file}


def _result(block: Fields, place: str) -> Turn:
    identity, content = block.need("tool_use_id", str), block.take_any("content")
    failed = block.take("is_error", bool)
    block.end(_WHY)
    said = "" if content is None else _texts(content, f"{place}.content")
    if failed:  # a tool message cannot say this but in its text
        said = _ERROR + said if isinstance(said, str) else [_as_text(_ERROR), *said]
    return {"role": "tool", "tool_call_id": identity, "content": said}


def _as_text(text: str) -> Turn:
    return {"type": "text", "text": text}


def _assistant(content: Any, place: str) -> Turn:
    if isinstance(content, str):
        return {"role": "assistant", "content": content}
    parts: list[Turn] = []
    calls: list[Turn] = []
    thoughts: list[Turn] = []
    signed: dict[str, Turn] = {}
    for kind, where, block in _blocks(content, place):
        if kind == "tool_use":
            calls.append(_call(block))
        elif kind in ("thinking", "redacted_thinking"):
            thought = _thought(kind, block)
            if found := sealed.signed(thought.get("data")):
                signed |= found
            elif thought.get("signature") == reasoning.PARTED:
                parts.append(_parted(thought["thinking"]))
            else:
                thoughts.append(thought)
        else:
            parts.append(_text(kind, where, block))
    turn: Turn = {"role": "assistant", "content": _plain(parts) or None}
    if calls:
        turn["tool_calls"] = [call | signed.get(call["id"], {}) for call in calls]
    return turn | _reasoning(thoughts)


def _call(block: Fields) -> Turn:
    identity, name = block.need("id", str), block.need("name", str)
    given = block.need("input", dict)
    block.only("caller", ({"type": "direct"},), _WHY)
    block.end(_WHY)
    function = {"name": name, "arguments": words.arguments(given)}
    return {"id": identity, "type": "function", "function": function}


def _thought(kind: str, block: Fields) -> Turn:
    if kind == "thinking":
        thought = {"thinking": block.need("thinking", str)}
        thought["signature"] = block.take("signature", str) or ""
    else:
        thought = {"data": block.need("data", str)}
    block.end(_WHY)
    return thought


def _parted(thought: str) -> Turn:
    return {"type": "thinking", "thinking": [_as_text(thought)]}


def _reasoning(thoughts: list[Turn]) -> Turn:
    """Reasoning by every name that a server may read; details of what its provider signed."""
    turn: Turn = {}
    if said := reasoning.text(thoughts):
        turn |= {"reasoning": said, "reasoning_content": said}
    kept = [thought for thought in thoughts if thought.get("signature") or thought.get("data")]
    if kept:
        turn["reasoning_details"] = reasoning.details(kept)
    return turn

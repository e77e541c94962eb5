"""The messages of a chat completion's request as those of a Messages request.

The results of tools stand in one user's turn, all of them, as the Messages API asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from ai_gateway.translate.anthropic import reasoning, words
from ai_gateway.translate.anthropic.fields import Fields, expect, items, refuse

Block = dict[str, Any]
Placed = tuple[str, str, Any]

_WHY = "an Anthropic model has nothing that this could become."
_SYSTEM = ("system", "developer")
_DATA = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w.+-]+=[^;,]*)*;base64,", re.IGNORECASE)


def turns(value: Any) -> tuple[list[Block], list[Block]]:
    """The system prompt's blocks (the first messages, if of that role), and all other messages."""
    found = [_placed(item, place) for place, item in items(value, "messages")]
    first = next((i for i, (role, _, _) in enumerate(found) if role not in _SYSTEM), len(found))
    system = [block for _, place, item in found[:first] for block in _system(item, place)]
    rest = list(_groups(found[first:]))
    if not rest:
        refuse("messages", "an Anthropic model needs a message besides the system's.")
    return system, rest


def _placed(item: Any, place: str) -> Placed:
    role = expect(item, dict, place).get("role")
    return expect(role, str, f"{place}.role"), place, item


def _groups(found: list[Placed]) -> Iterator[Block]:
    for results, group in groupby(found, lambda placed: placed[0] == "tool"):
        if results:
            blocks = [_result(Fields(item, place)) for _, place, item in group]
            yield {"role": "user", "content": blocks}
        else:
            yield from (_turn(*placed) for placed in group)


def _turn(role: str, place: str, item: Any) -> Block:
    if role in _SYSTEM:
        return {"role": "system", "content": _system(item, place)}
    message = Fields(item, place)
    message.take("role", str)
    content: Any
    if role == "user":
        content = message.take_any("content")
        if not isinstance(content, str):
            content = [_part(*part) for part in _parts(content, message.at("content"))]
    elif role == "assistant":
        content = _assistant(message)
    else:
        refuse(f"{place}.role", "it is system, developer, user, assistant or tool.")
    message.end(_WHY)
    return {"role": role, "content": content}


def _parts(content: Any, place: str) -> Iterator[tuple[str, Fields]]:
    """Each part's type, and its fields; a string is one part of text."""
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    for where, item in items(content, place):
        part = Fields(item, where)
        yield part.need("type", str), part


def _system(item: Any, place: str) -> list[Block]:
    message = Fields(item, place)
    message.take("role", str)
    blocks = _texts(message.take_any("content"), message.at("content"))
    message.end(_WHY)
    return blocks


def _texts(content: Any, place: str) -> list[Block]:
    return [_text(kind, part) for kind, part in _parts(content, place)]


def _text(kind: str, part: Fields) -> Block:
    """A part that says something; a refusal is what the assistant said."""
    if kind not in ("text", "refusal"):
        refuse(part.at("type"), "only text can stand here for an Anthropic model.")
    said = part.need(kind, str)
    part.end(_WHY)
    return {"type": "text", "text": said}


def _part(kind: str, part: Fields) -> Block:
    if kind == "image_url":
        block = _image(Fields(part.need("image_url", dict), part.at("image_url")))
    elif kind == "file":
        block = _document(Fields(part.need("file", dict), part.at("file")))
    elif kind == "text":
        return _text(kind, part)
    else:
        refuse(part.at("type"), _WHY)
    part.end(_WHY)
    return block


def _image(image: Fields) -> Block:
    url = image.need("url", str)
    image.only("detail", ("auto",), "an Anthropic model takes no detail but auto")
    image.end(_WHY)
    source = _source(url)
    if source is None and url[:5].lower() == "data:":
        refuse(image.at("url"), "an Anthropic model takes a picture's data as base64.")
    return {"type": "image", "source": source or {"type": "url", "url": url}}


def _document(file: Fields) -> Block:
    source = _source(file.need("file_data", str))
    if source is None or source["media_type"] != "application/pdf":
        refuse(file.at("file_data"), "an Anthropic model takes a PDF as data:application/pdf.")
    block: Block = {"type": "document", "source": source}
    if name := file.take("filename", str):
        block["title"] = name
    file.end(_WHY)
    return block


def _source(url: str) -> Block | None:
    """The source in a data URL, None where ``url`` is another."""
    found = _DATA.match(url)
    if found is None:
        return None
    return {"type": "base64", "media_type": found[1].lower(), "data": url[found.end() :]}


def _result(message: Fields) -> Block:
    message.take("role", str)
    identity, content = message.need("tool_call_id", str), message.take_any("content")
    if not isinstance(content, str):
        content = _texts(content, message.at("content"))
    message.end(_WHY)
    return {"type": "tool_result", "tool_use_id": identity, "content": content}


def _assistant(message: Fields) -> Any:
    """What the assistant thought, said and called: a string where it only said one."""
    blocks = _thoughts(message)
    content, refusal = message.take_any("content"), message.take("refusal", str)
    calls = message.take_any("tool_calls") or []
    message.only("annotations", ([],), _WHY)
    if isinstance(content, str) and not (blocks or calls or refusal):
        return content
    if content is not None and content != "":  # an empty text is no block
        blocks += _texts(content, message.at("content"))
    if refusal:
        blocks.append({"type": "text", "text": refusal})
    return blocks + [
        _call(Fields(call, where)) for where, call in items(calls, message.at("tool_calls"))
    ]


def _thoughts(message: Fields) -> list[Block]:
    said = {
        name: message.take_any(name)
        for name in ("reasoning_content", "reasoning", "reasoning_details")
    }
    for where, item in items(said["reasoning_details"] or [], message.at("reasoning_details")):
        if not reasoning.known(item):
            refuse(where, _WHY)
    blocks = reasoning.merged(reasoning.pieces(said))
    if not all(map(reasoning.signed, blocks)):
        found = next(name for name, value in reversed(said.items()) if value)
        refuse(
            message.at(found),
            "an Anthropic model takes reasoning only with its own signature, in"
            " reasoning_details; leave out what another model thought.",
        )
    return blocks


def _call(call: Fields) -> Block:
    call.only("type", ("function",), _WHY)
    call.take("index", int)  # of a stream, which some clients keep
    call.take("extra_content", dict)  # what another model wants back with its call
    identity = call.need("id", str)
    function = Fields(call.need("function", dict), call.at("function"))
    name, given = function.need("name", str), function.take_any("arguments")
    call.end(_WHY)
    function.end(_WHY)
    return {"type": "tool_use", "id": identity, "name": name, "input": words.tool_input(given)}

"""A Responses request's input items as the messages of chat completions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ai_gateway.errors import BadRequest
from ai_gateway.translate import sealed
from ai_gateway.translate.responses.reading import (
    Body,
    items,
    mapping,
    only,
    string,
    unserved,
    word,
)

Message = dict[str, Any]

# Chat templates know "system"; "developer" is a later name of the same, which few of them know.
_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
# What a former answer said about its items, and null where it was not asked.
_ITEM = ("type", "id", "status", "phase")
_SAID = {"output_text": "text", "refusal": "refusal"}


def messages(body: Body) -> list[Message]:
    """The instructions first, then every item of the input."""
    found: list[Message] = []
    if body.get("instructions") is not None:
        found.append({"role": "system", "content": string(body, "instructions", "")})
    asked = body.get("input")
    if isinstance(asked, str):
        return [*found, {"role": "user", "content": asked}]
    signed: dict[str, Message] = {}
    for at, item in enumerate(items(asked, "input")):
        if item.get("type") == "reasoning":  # a chat model takes none back but what signs a call
            signed |= sealed.signed(item.get("encrypted_content"))
        else:
            _add(found, item, f"input.{at}")
    if signed:
        _sign(found, signed)
    return found


def _sign(found: list[Message], signed: dict[str, Message]) -> None:
    """Puts beside each call what its model must get back with it."""
    for message in found:
        for call in message.get("tool_calls", ()):
            call.update(signed.get(call["id"], {}))


def _add(found: list[Message], item: Body, place: str) -> None:
    kind = item.get("type") or "message"
    if kind == "message":
        _add_message(found, _message(item, place))
    elif kind == "function_call":
        _add_call(found, item, place)
    elif kind == "function_call_output":
        found.append(_result(item, place))
    else:
        raise unserved(f"{place}.type", f"an item {str(kind)[:100]!r} cannot be passed on")


def _add_message(found: list[Message], message: Message) -> None:
    """Joins what the assistant said after a call to its message: results come right after it."""
    last = found[-1] if found else {}
    if message["role"] == "assistant" and "tool_calls" in last:
        last["content"] = (last["content"] or "") + message["content"]
    else:
        found.append(message)


def _message(item: Body, place: str) -> Message:
    only(item, (*_ITEM, "role", "content"), place)
    role = word(item, "role")
    if role not in _ROLES:
        known = ", ".join(_ROLES)
        raise BadRequest(f"{place}.role: one of {known} was expected.", param=f"{place}.role")
    content = item.get("content")
    if not isinstance(content, str):
        parts = items(content, f"{place}.content")
        content = (_said if role == "assistant" else _parts)(parts, f"{place}.content")
    return {"role": _ROLES[role], "content": content}


def _said(parts: list[Body], place: str) -> str:
    """What an assistant said, as one string: few templates take parts from an assistant."""
    return "".join(_said_part(part, f"{place}.{at}") for at, part in enumerate(parts))


def _said_part(part: Body, place: str) -> str:
    kind = word(part, "type")
    if kind not in _SAID:
        return _one_text(part, place)
    only(part, ("type", _SAID[kind], "annotations", "logprobs"), place)
    return string(part, _SAID[kind], place)


def _one_text(part: Body, place: str) -> str:
    if part.get("type") not in ("input_text", "text"):
        raise _no_part(part, place)
    only(part, ("type", "text"), place)
    return string(part, "text", place)


def _parts(parts: list[Body], place: str) -> str | list[dict[str, Any]]:
    """A single text as a string, which every template takes."""
    if len(parts) == 1 and parts[0].get("type") == "input_text":
        return _one_text(parts[0], f"{place}.0")
    return [_part(part, f"{place}.{at}") for at, part in enumerate(parts)]


def _part(part: Body, place: str) -> dict[str, Any]:
    translate = _INPUT.get(word(part, "type"))
    if translate is None:
        raise _no_part(part, place)
    return translate(part, place)


def _no_part(part: Body, place: str) -> BadRequest:
    kind = str(part.get("type"))[:100]
    return unserved(f"{place}.type", f"a part {kind!r} cannot be passed on here")


def _text(part: Body, place: str) -> dict[str, Any]:
    return {"type": "text", "text": _one_text(part, place)}


def _image(part: Body, place: str) -> dict[str, Any]:
    only(part, ("type", "image_url", "detail"), place)
    image = {"url": string(part, "image_url", place)}
    if part.get("detail") is not None:
        image["detail"] = string(part, "detail", place)
    return {"type": "image_url", "image_url": image}


def _audio(part: Body, place: str) -> dict[str, Any]:
    only(part, ("type", "input_audio"), place)
    return {
        "type": "input_audio",
        "input_audio": mapping(part.get("input_audio"), f"{place}.input_audio"),
    }


_INPUT: dict[str, Callable[[Body, str], dict[str, Any]]] = {
    "input_text": _text,
    "text": _text,
    "input_image": _image,
    "input_audio": _audio,
}


def _add_call(found: list[Message], item: Body, place: str) -> None:
    """Joins a call to what the assistant said just before: in chat that is one message."""
    only(item, (*_ITEM, "call_id", "name", "arguments"), place)
    function = {key: string(item, key, place) for key in ("name", "arguments")}
    call = {"id": string(item, "call_id", place), "type": "function", "function": function}
    if not found or found[-1]["role"] != "assistant":
        found.append({"role": "assistant", "content": None})
    found[-1].setdefault("tool_calls", []).append(call)


def _result(item: Body, place: str) -> Message:
    only(item, (*_ITEM, "call_id", "name", "output"), place)
    output = item.get("output")
    if not isinstance(output, str):
        texts = enumerate(items(output, f"{place}.output"))
        output = "".join(_one_text(part, f"{place}.output.{at}") for at, part in texts)
    return {"role": "tool", "tool_call_id": string(item, "call_id", place), "content": output}

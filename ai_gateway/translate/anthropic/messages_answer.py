"""A chat completion's answer as a Messages answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ai_gateway.errors import UpstreamError
from ai_gateway.formats import chat
from ai_gateway.translate import deltas, sealed
from ai_gateway.translate.anthropic import reasoning, words

Block = dict[str, Any]


def answer(
    body: Mapping[str, Any],
    request: Mapping[str, Any],
    created: int = 0,  # noqa: ARG001 - the Messages API has no times
) -> dict[str, Any]:
    """``body`` for the caller of ``request``; raises UpstreamError for what is no answer."""
    chat.read(body)
    choice = chat.answered(body)
    content = blocks(body, choice["message"], hidden=hidden(request))
    called = any(block["type"] == "tool_use" for block in content)
    return {
        **head(body),
        "content": content,
        **words.stop_reason(choice, called=called),
        "usage": words.to_messages_usage(body.get("usage")),
    }


def head(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a message has beside its content and its end."""
    identity, model = body.get("id"), body.get("model")
    return {
        "id": identity if isinstance(identity, str) else "",
        "type": "message",
        "role": "assistant",
        "model": model if isinstance(model, str) else "",
    }


def hidden(request: Mapping[str, Any]) -> bool:
    """Whether the caller asked that thinking be left out."""
    thinking = request.get("thinking")
    return isinstance(thinking, Mapping) and thinking.get("display") == "omitted"


def blocks(body: Mapping[str, Any], message: Mapping[str, Any], *, hidden: bool) -> list[Block]:
    """What the model thought, said and called."""
    deltas.check(message)
    thoughts = [] if hidden else reasoning.merged(reasoning.pieces(message))
    said = "".join(texts(message))
    spoken = [{"type": "text", "text": said}] if said else []
    return [*thoughts, *spoken, *_calls(body, message.get("tool_calls"))]


def texts(message: Mapping[str, Any]) -> Iterator[str]:
    """A message's or a delta's words, its refusal too."""
    yield from chat.parts(message.get("content"))
    if isinstance(message.get("refusal"), str):
        yield message["refusal"]


def _calls(body: Mapping[str, Any], calls: object) -> Iterator[Block]:
    for index, call in enumerate(calls if isinstance(calls, list) else ()):
        function = call.get("function") if isinstance(call, Mapping) else None
        if not isinstance(function, Mapping):
            raise UpstreamError("The model answered with a tool call without a function.")
        given = words.tool_input(function.get("arguments"))
        block = tool_use(body, index, call)
        yield from signature(call, block)
        yield block | {"input": given}


def signature(call: Mapping[str, Any], block: Block) -> Iterator[Block]:
    """What the caller gives back beside the ``block`` of a tool call, where the model needs it."""
    if data := sealed.signature(call, block["id"]):
        yield {"type": "redacted_thinking", "data": data}


def tool_use(body: Mapping[str, Any], index: int, call: Mapping[str, Any]) -> Block:
    """The block that a tool call begins; a call without an id gets one of the answer's."""
    identity, name = call.get("id"), call["function"].get("name")
    if not isinstance(name, str) or not name:
        raise UpstreamError("The model answered with a tool call without a name.")
    if not isinstance(identity, str) or not identity:
        identity = f"call_{head(body)['id']}_{index}"
    return {"type": "tool_use", "id": identity, "name": name, "input": {}}

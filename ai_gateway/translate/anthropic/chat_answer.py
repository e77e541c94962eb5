"""A Messages answer as a chat completion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ai_gateway.errors import UpstreamError
from ai_gateway.formats import messages
from ai_gateway.translate.anthropic import reasoning, words

Block = Mapping[str, Any]

_THOUGHTS = ("thinking", "redacted_thinking")


def answer(
    body: Mapping[str, Any],
    request: Mapping[str, Any],  # noqa: ARG001 - as Translation
    created: int = 0,
) -> dict[str, Any]:
    """``body`` for a caller of chat completions; raises UpstreamError for what is no answer."""
    messages.read(body)
    said = message(body["content"]) | {"refusal": refusal(body)}
    choice = {"index": 0, "message": said, "logprobs": None, **words.finish_reason(body)}
    return {
        **head(body, "chat.completion", created),
        "choices": [choice],
        "usage": words.to_chat_usage(body.get("usage")),
    }


def head(body: Mapping[str, Any], kind: str, created: int) -> dict[str, Any]:
    """What a completion or chunk has beside its choices; a Messages answer knows no time."""
    identity, model = body.get("id"), body.get("model")
    return {
        "id": identity if isinstance(identity, str) else "",
        "object": kind,
        "created": created,
        "model": model if isinstance(model, str) else "",
    }


def message(blocks: Iterable[Block]) -> dict[str, Any]:
    """What the model thought, said and called."""
    kept = list(blocks)
    for block in kept:
        check(block)
    said = "".join(block["text"] for block in kept if block["type"] == "text")
    calls = [block for block in kept if block["type"] == "tool_use"]
    found: dict[str, Any] = {"role": "assistant", "content": said or (None if calls else "")}
    if calls:
        found["tool_calls"] = [call(block) for block in calls]
    thoughts = [block for block in kept if block["type"] in _THOUGHTS]
    if thoughts:
        found["reasoning_content"] = reasoning.text(thoughts) or None
        found["reasoning_details"] = reasoning.details(thoughts)
    return found


_TYPES: dict[str, dict[str, type]] = {
    "redacted_thinking": {"data": str},
    "text": {"text": str},
    "thinking": {"thinking": str},
    "tool_use": {"id": str, "name": str, "input": dict},
}


def check(block: object) -> None:
    """Raise UpstreamError for a block that a chat completion cannot hold."""
    kind = block.get("type") if isinstance(block, Mapping) else None
    wanted = _TYPES.get(kind) if isinstance(kind, str) else None
    if not isinstance(block, Mapping) or wanted is None:
        raise UpstreamError("The model answered with a block that a chat completion cannot hold.")
    if not all(isinstance(block.get(name), of) for name, of in wanted.items()):
        raise UpstreamError(f"The model answered with a block of {kind} that is none.")


def call(block: Block) -> dict[str, Any]:
    """A tool_use block as a tool call."""
    function = {"name": block["name"], "arguments": words.arguments(block["input"])}
    return {"id": block["id"], "type": "function", "function": function}


def refusal(ended: Mapping[str, Any]) -> str | None:
    """Why the model refused, where it says so."""
    found = ended.get("stop_details")
    said = found.get("explanation") if isinstance(found, Mapping) else None
    return said if isinstance(said, str) else None

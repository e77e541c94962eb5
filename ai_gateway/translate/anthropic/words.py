"""What the two formats call the same things."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ai_gateway import strictjson
from ai_gateway.errors import BadRequest
from ai_gateway.formats import chat, messages

#: Why an answer ended, as chat completions say it. A paused turn is one that did not end.
FINISH = {
    "end_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "refusal": "content_filter",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
}

#: The same as the Messages API says it.
STOP = {
    "content_filter": "refusal",
    "function_call": "tool_use",
    "length": "max_tokens",
    "stop": "end_turn",
    "tool_calls": "tool_use",
}

EFFORTS = ("low", "medium", "high", "xhigh", "max")

#: The key under which the Messages API's guide wraps arguments that are no JSON object.
INVALID = "INVALID_JSON"


def arguments(given: Mapping[str, Any]) -> str:
    """A tool_use block's input as a tool call's arguments."""
    invalid = given.get(INVALID)
    if isinstance(invalid, str) and len(given) == 1:
        return invalid
    return strictjson.dumps(given).decode()


def tool_input(given: object) -> dict[str, Any]:
    """A tool call's arguments as a tool_use block's input; what is no object is wrapped."""
    if given is None or given == "":
        return {}
    value = given
    if isinstance(given, str):
        with suppress(BadRequest):
            value = strictjson.loads(given.encode())
    return value if isinstance(value, dict) else {INVALID: given}


def stop_reason(choice: Mapping[str, Any], *, called: bool) -> dict[str, Any]:
    """stop_reason and stop_sequence of a choice that ended.

    vLLM gives the stop sequence as the choice's own ``stop_reason``. A tool that was named by the
    caller is often called with ``stop``; a caller of the Messages API acts on ``tool_use`` only.
    Raises UpstreamError for an answer that broke off.
    """
    chat.unbroken(choice.get("finish_reason"))
    matched = choice.get("stop_reason")
    reason = STOP.get(str(choice.get("finish_reason")), "end_turn")
    if reason == "end_turn" and called:
        reason = "tool_use"
    elif reason == "end_turn" and isinstance(matched, str):
        return {"stop_reason": "stop_sequence", "stop_sequence": matched}
    return {"stop_reason": reason, "stop_sequence": None}


def finish_reason(message: Mapping[str, Any]) -> dict[str, Any]:
    """finish_reason of a message that ended; the stop sequence stands where vLLM gives it."""
    reason = message.get("stop_reason")
    ended: dict[str, Any] = {"finish_reason": FINISH.get(str(reason), "stop")}
    if reason == "stop_sequence":
        ended["stop_reason"] = message.get("stop_sequence")
    return ended


def to_messages_usage(found: object) -> dict[str, Any]:
    """Chat completions' usage in the Messages API's counts, where input excludes the cache."""
    usage = chat.usage(found)
    raw = found if isinstance(found, Mapping) else {}
    cached = usage.cached or 0
    written = chat.count(raw.get("prompt_tokens_details"), "cache_write_tokens") or 0
    counts: dict[str, Any] = {
        "input_tokens": max((usage.input or 0) - cached - written, 0),
        "output_tokens": usage.output or 0,
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": written,
    }
    if usage.reasoning is not None:
        counts["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return counts


def to_chat_usage(found: object) -> dict[str, Any]:
    """The Messages API's usage in chat completions' counts, where the prompt includes the cache."""
    usage = messages.usage(found)
    prompt, completion = usage.input or 0, usage.output or 0
    written = chat.count(found, "cache_creation_input_tokens") or 0
    counts: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached or 0,
            "cache_write_tokens": written,
        },
    }
    if usage.reasoning is not None:
        counts["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning}
    return counts

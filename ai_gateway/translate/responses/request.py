"""A Responses request as a chat-completions request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ai_gateway.errors import BadRequest
from ai_gateway.translate.responses import tools
from ai_gateway.translate.responses.conversation import messages
from ai_gateway.translate.responses.reading import Body, mapping, only, string, unserved

#: The part of ``include`` that a chat model can give.
_LOGPROBS = "message.output_text.logprobs"
_KEEPS_STATE = "this gateway keeps no responses; send the whole conversation as input"
REFUSED = {
    "previous_response_id": _KEEPS_STATE,
    "conversation": _KEEPS_STATE,
    "prompt": "there are no stored prompts; send their text",
    "context_management": "a conversation is not compacted",
}
# Chat's own names would overwrite what is translated, or be answered in part only.
CHATS_OWN = (
    *("messages", "response_format", "reasoning_effort", "max_tokens", "max_completion_tokens"),
    *("verbosity", "logprobs", "n", "functions", "function_call", "modalities", "audio"),
)
# Translated below, or answered by the echo alone.
NOT_PASSED = {
    *("input", "instructions", "tools", "tool_choice", "text", "reasoning", "max_output_tokens"),
    *("include", "top_logprobs", "stream", "stream_options", "background", "truncation"),
    *("store", "metadata", "max_tool_calls"),
}


def request(body: Body) -> dict[str, Any]:
    """``body`` for a chat model; parameters of the same or an unknown name pass unchanged."""
    _refuse(body)
    sent = {
        key: value for key, value in body.items() if key not in NOT_PASSED and value is not None
    }
    sent["messages"] = messages(body)
    for key, translate in _TRANSLATED.items():
        if body.get(key) is not None:
            sent |= translate(body[key])
    return sent


def _refuse(body: Body) -> None:
    for key, why in REFUSED.items():
        if body.get(key) is not None:
            raise unserved(key, why)
    for key in CHATS_OWN:
        if key in body:
            raise unserved(key, "this is a parameter of chat completions, not of responses")


def _text(value: object) -> dict[str, Any]:
    text = mapping(value, "text")
    only(text, ("format", "verbosity"), "text")
    sent = {} if text.get("verbosity") is None else {"verbosity": text["verbosity"]}
    if text.get("format") is not None:
        sent |= _format(mapping(text["format"], "text.format"))
    return sent


def _format(wanted: Body) -> dict[str, Any]:
    kind = string(wanted, "type", "text.format")
    if kind == "json_schema":
        schema = {
            key: value for key, value in wanted.items() if key != "type" and value is not None
        }
        return {"response_format": {"type": kind, "json_schema": schema}}
    if kind not in ("text", "json_object"):
        raise unserved("text.format.type", f"{kind[:100]!r} is no format of an answer")
    only(wanted, ("type",), "text.format")
    return {} if kind == "text" else {"response_format": {"type": kind}}


def _reasoning(value: object) -> dict[str, Any]:
    reasoning = mapping(value, "reasoning")
    only(reasoning, ("effort",), "reasoning")
    effort = reasoning.get("effort")
    return {} if effort is None else {"reasoning_effort": effort}


def _include(value: object) -> dict[str, Any]:
    wanted = value if isinstance(value, list) else [value]
    for name in wanted:
        if name != _LOGPROBS:
            raise unserved("include", f"{str(name)[:100]!r} cannot be included")
    return {"logprobs": True} if wanted else {}


def _top_logprobs(value: Any) -> dict[str, Any]:
    return {"logprobs": True, "top_logprobs": value} if value else {}


def _stream(value: Any) -> dict[str, Any]:
    # The last event holds the usage, which a chat model streams only when it is asked.
    return {"stream": True, "stream_options": {"include_usage": True}} if value else {}


def _stream_options(value: object) -> dict[str, Any]:
    options = mapping(value, "stream_options")
    only(options, ("include_obfuscation",), "stream_options")
    if options.get("include_obfuscation"):
        raise unserved("stream_options.include_obfuscation", "deltas are not padded")
    return {}


def _background(value: object) -> dict[str, Any]:
    if value:
        raise unserved("background", _KEEPS_STATE)
    return {}


def _truncation(value: object) -> dict[str, Any]:
    if value != "disabled":
        raise unserved("truncation", "a conversation is not shortened; 'disabled' alone is served")
    return {}


def _metadata(value: object) -> dict[str, Any]:
    mapping(value, "metadata")
    return {}


def _max_output_tokens(value: object) -> dict[str, Any]:
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadRequest("max_output_tokens: a number was expected.", param="max_output_tokens")
    return {"max_tokens": value}


_TRANSLATED: dict[str, Callable[[Any], dict[str, Any]]] = {
    "tools": tools.offered,
    "tool_choice": tools.choice,
    "text": _text,
    "reasoning": _reasoning,
    "max_output_tokens": _max_output_tokens,
    "include": _include,
    "top_logprobs": _top_logprobs,
    "stream": _stream,
    "stream_options": _stream_options,
    "background": _background,
    "truncation": _truncation,
    "metadata": _metadata,
}

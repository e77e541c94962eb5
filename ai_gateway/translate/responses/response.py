"""The Response object and its items: what whole answers and streams write alike."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ai_gateway import strictjson
from ai_gateway.formats.chat import count, unbroken
from ai_gateway.translate.responses.reading import Body

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


@dataclass(frozen=True, slots=True)
class End:
    """How an answer ended: the response's status, and why it is incomplete."""

    status: str
    reason: str | None = None


def end(finish_reason: object) -> End:
    """A chat model's ``finish_reason`` as the Responses API says it."""
    unbroken(finish_reason)
    reason = _INCOMPLETE.get(finish_reason) if isinstance(finish_reason, str) else None
    return End("incomplete" if reason else "completed", reason)


def suffix(request: Body, chat: Body) -> str:
    """What all ids of a response share: the chat completion's own id, without its prefix."""
    found = chat.get("id")
    if isinstance(found, str) and found:
        return found.removeprefix("chatcmpl-")
    # No id came; one of the question is as good where nothing is kept.
    return hashlib.sha256(strictjson.dumps(request)).hexdigest()[:32]


def response(
    request: Body,
    chat: Body,
    *,
    status: str,
    output: Sequence[Body] = (),
    usage: object = None,
    reason: str | None = None,
    error: Body | None = None,
) -> dict[str, Any]:
    """A Response; ``chat`` is the completion, or the chunk, that has its id, time and model."""
    created = chat.get("created")
    return {
        "id": f"resp_{suffix(request, chat)}",
        "object": "response",
        "created_at": created if isinstance(created, (int, float)) else 0,
        "status": status,
        "error": error,
        "incomplete_details": {"reason": reason} if reason else None,
        "model": chat.get("model") or request.get("model"),
        "output": list(output),
        "usage": _usage(usage),
        "service_tier": chat.get("service_tier"),
        **_asked(request),
    }


def _asked(request: Body) -> dict[str, Any]:
    """The request's parameters as an answer repeats them; null where the model's own hold."""
    repeated = (
        *("instructions", "max_output_tokens", "max_tool_calls", "temperature", "top_p"),
        *("top_logprobs", "prompt_cache_key", "safety_identifier", "user"),
    )
    text = request.get("text") or {}
    return {
        **{key: request.get(key) for key in repeated},
        "background": False,
        "metadata": request.get("metadata") or {},
        "parallel_tool_calls": request.get("parallel_tool_calls") is not False,
        "previous_response_id": None,
        "reasoning": {"effort": (request.get("reasoning") or {}).get("effort"), "summary": None},
        "store": False,
        "text": {**text, "format": text.get("format") or {"type": "text"}},
        "tool_choice": request.get("tool_choice") or "auto",
        "tools": [_TOOL | tool for tool in request.get("tools") or ()],
        "truncation": "disabled",
    }


_TOOL = {"description": None, "parameters": None, "strict": None}


def _usage(found: object) -> dict[str, Any] | None:
    if not isinstance(found, Mapping):
        return None
    given, made = count(found, "prompt_tokens") or 0, count(found, "completion_tokens") or 0
    total = count(found, "total_tokens")
    details = found.get("prompt_tokens_details")
    return {
        "input_tokens": given,
        "input_tokens_details": {
            "cached_tokens": count(details, "cached_tokens") or 0,
            "cache_write_tokens": count(details, "cache_write_tokens") or 0,
        },
        "output_tokens": made,
        "output_tokens_details": {
            "reasoning_tokens": count(found.get("completion_tokens_details"), "reasoning_tokens")
            or 0
        },
        "total_tokens": given + made if total is None else total,
    }


def logprobs(choice: Body) -> list[dict[str, Any]]:
    """The log probabilities of a choice's tokens, with what the Responses API requires of each."""
    found = choice.get("logprobs")
    return [
        _token(token)
        | {"top_logprobs": [_token(other) for other in objects(token, "top_logprobs")]}
        for token in objects(found, "content")
    ]


def objects(found: object, key: str) -> list[Body]:
    """The objects in the list under ``key``, as far as the server sent a list of objects."""
    value = found.get(key) if isinstance(found, Mapping) else None
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _token(token: Body) -> dict[str, Any]:
    return {
        "token": token.get("token"),
        "logprob": token.get("logprob"),
        "bytes": token.get("bytes") or [],
    }

"""Which requests may be answered from a cache, and which answers are worth keeping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ai_gateway.cache.declared import Cache

Body = Mapping[str, Any]

#: Formats whose answers are computed, not sampled.
_COMPUTED: Final = frozenset({"embeddings", "rerank", "ranking"})
#: Formats whose answers are put together from a stream, and replayed as one.
_SAID: Final = frozenset({"chat", "completions", "messages", "responses"})
#: Keys by which an answer follows from more than the request: what a provider looks up or runs, and
#: what it remembers of earlier requests.
_BEYOND: Final = frozenset(
    (
        *("web_search_options", "search_parameters", "plugins", "mcp_servers", "container"),
        *("store", "previous_response_id", "conversation", "background"),
        *("audio", "context_management"),
    )
)
_ENDS: Final = frozenset(
    (
        *("stop", "length", "tool_calls", "function_call"),
        *("end_turn", "max_tokens", "stop_sequence", "tool_use"),
        *("completed", "max_output_tokens"),
    )
)


def cacheable(body: Body, format_name: str, declared: Cache) -> bool:
    """Whether ``body`` may be answered from a cache: the same question has the same answer.

    That needs temperature 0 (or the operator's ``always``), one choice, and nothing that lies
    beyond the request. The caller's own function tools are allowed: the same conversation leads to
    the same call, which the caller makes or not. Tools that the provider runs are not.
    """
    if format_name not in _SAID | _COMPUTED:
        return False
    if any(body.get(name) for name in _BEYOND) or isinstance(body.get("prompt"), Mapping):
        return False
    if any(body.get(name) not in (None, 1) for name in ("n", "best_of")):
        return False
    if not all(_own(tool) for tool in _tools(body)):
        return False
    return declared.always or format_name in _COMPUTED or _is_zero(body.get("temperature"))


def worth(finish_reason: str | None, format_name: str) -> bool:
    """Whether an answer that ended so is kept: one that is whole, and that no filter cut."""
    return format_name in _COMPUTED or finish_reason in _ENDS


def _is_zero(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == 0


def _tools(body: Body) -> list[Any]:
    tools = body.get("tools")
    return tools if isinstance(tools, list) else [tools] if tools else []


def _own(tool: object) -> bool:
    """Whether the caller runs it: a function (OpenAI), or without a built-in type (Anthropic)."""
    return isinstance(tool, Mapping) and tool.get("type", "custom") in ("function", "custom", None)

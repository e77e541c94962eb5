"""The Messages API as Anthropic's SDKs send and read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ai_gateway.errors import BadRequest
from ai_gateway.surfaces import refuse_variants

#: The keys that the gateway, a guardrail or a model acts on.
PROTOCOL = frozenset(
    {
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "service_tier",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    }
)
_IN_MESSAGE = frozenset({"content", "role"})
_ROLES = ("user", "assistant", "system")


def check(body: Mapping[str, Any]) -> None:
    """Messages that guardrails can read; raises BadRequest for others."""
    if not body["messages"]:
        raise BadRequest("messages: at least one was expected (found none)", param="messages")
    for index, message in enumerate(body["messages"]):
        at = f"messages.{index}"
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise BadRequest(
                f"{at}: an object with the role user, assistant or system was expected",
                param=at,
            )
        if not isinstance(message.get("content"), (str, list)):
            raise BadRequest(f"{at}.content: a string or a list was expected", param=at)
        refuse_variants(message, _IN_MESSAGE, at)

"""Chat completions as callers send and read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ai_gateway.answer.call import Answer
from ai_gateway.errors import BadRequest
from ai_gateway.surfaces import refuse_variants
from ai_gateway.surfaces.sse import EventStream

#: The keys that the gateway, a guardrail or a model acts on.
PROTOCOL = frozenset(
    {
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "metadata",
        "modalities",
        "model",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "reasoning_effort",
        "response_format",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
    }
)
_IN_MESSAGE = frozenset({"content", "function_call", "name", "refusal", "role", "tool_calls"})


def check(body: Mapping[str, Any]) -> None:
    """Messages that guardrails can read; raises BadRequest for others."""
    if not body["messages"]:
        raise BadRequest("messages: at least one was expected (found none)", param="messages")
    for index, message in enumerate(body["messages"]):
        at = f"messages.{index}"
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise BadRequest(f"{at}: an object with a role was expected", param=at)
        content = message.get("content")
        if content is not None and not isinstance(content, (str, list)):
            raise BadRequest(f"{at}.content: a string or a list was expected", param=at)
        refuse_variants(message, _IN_MESSAGE, at)


class ChatStream(EventStream):
    """A stream of chunks. The usage that the gateway asked for is shown to who asked as well."""

    def __init__(self, answer: Answer, body: Mapping[str, Any]) -> None:
        super().__init__(answer)
        options = body.get("stream_options")
        self._usage = isinstance(options, Mapping) and options.get("include_usage") is True

    def events(self) -> Iterator[dict[str, Any]]:
        """The chunks that the caller gets."""
        for chunk in self._chunks:
            if self._usage or chunk.get("usage") is None:
                yield chunk
            elif chunk.get("choices"):
                yield {key: value for key, value in chunk.items() if key != "usage"}

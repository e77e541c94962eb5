"""A chat completion as a Response: a stream of one chunk, of which the last event is the answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from ai_gateway.errors import UpstreamError
from ai_gateway.translate.responses.reading import Body
from ai_gateway.translate.responses.response import objects
from ai_gateway.translate.responses.stream import stream


def answer(body: Body, request: Body, created: int = 0) -> dict[str, Any]:
    """The Response to ``request`` that ``body`` is; raises UpstreamError where there is none."""
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise UpstreamError("The model answered without choices.")
    chunk = {**body, "choices": [_choice(choices[0])]}
    last = deque(stream([chunk], request, created), maxlen=1).pop()
    response: dict[str, Any] = last["response"]
    return response


def _choice(choice: object) -> dict[str, Any]:
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(choice, Mapping) or not isinstance(message, Mapping):
        raise UpstreamError("The model answered with a choice without a message.")
    calls = [{**call, "index": at} for at, call in enumerate(objects(message, "tool_calls"))]
    return {
        "finish_reason": choice.get("finish_reason") or "stop",  # a whole answer has ended
        "logprobs": choice.get("logprobs"),
        "delta": {**message, "tool_calls": calls},
    }

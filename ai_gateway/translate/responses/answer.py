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
    # A provider's content filter may have left the first without a message.
    first = next((each for each in choices if _message(each) is not None), choices[0])
    chunk = {**body, "choices": [_choice(first)]}
    last = deque(stream([chunk], request, created), maxlen=1).pop()
    response: dict[str, Any] = last["response"]
    return response


def _message(choice: object) -> Body | None:
    message = choice.get("message") if isinstance(choice, Mapping) else None
    return message if isinstance(message, Mapping) else None


def _choice(choice: object) -> dict[str, Any]:
    message = _message(choice)
    if not isinstance(choice, Mapping) or message is None:
        raise UpstreamError("The model answered with a choice without a message.")
    calls = [{**call, "index": at} for at, call in enumerate(objects(message, "tool_calls"))]
    return {
        "finish_reason": choice.get("finish_reason") or "stop",  # a whole answer has ended
        "logprobs": choice.get("logprobs"),
        "delta": {**message, "tool_calls": calls},
    }

"""``POST /chat/completions``: what is refused, what is answered, and how it is streamed.

The shapes are those of vLLM's OpenAI server, which NIM shares. ``response_format``, ``tools`` and
other fields that are not read here are taken and not acted on, as older servers do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

import orjson

from ai_gateway.simulator import reply, text
from ai_gateway.simulator.endpoints import Endpoint
from ai_gateway.simulator.faults import DONE
from ai_gateway.simulator.reply import Reply

CONTEXT = 131_072  # tokens, of prompt and answer together
_MOST_CHOICES = 8
_TOKENS_A_MESSAGE = 4  # what a chat template adds
CREATED = 1_767_225_600  # 2026-01-01; fixed, so that a recording made again is the same
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer: its tokens, and why it ended."""

    tokens: tuple[str, ...]
    finish_reason: str


def completions(endpoint: Endpoint, body: dict[str, Any], seed: int, say: str | None) -> Reply:
    """The answer to a chat completion, plain or as a stream; ``say`` overrides the model."""
    problem = _problem(body)
    if problem:
        return reply.error(400, problem)
    prompt_tokens = sum(
        _TOKENS_A_MESSAGE + text.count_tokens(content(message)) for message in body["messages"]
    )
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or 0
    if prompt_tokens + limit > CONTEXT:
        return reply.error(
            400,
            f"This model's maximum context length is {CONTEXT} tokens. However, you requested"
            f" {prompt_tokens + limit} tokens ({prompt_tokens} in the messages, {limit} in the"
            " completion).",
        )
    key = (seed, endpoint.name, orjson.dumps(body["messages"], option=orjson.OPT_SORT_KEYS).hex())
    said = (
        say if say is not None else endpoint.speak(question(body["messages"]), *key, index)
        for index in range(body.get("n") or 1)
    )
    choices = [_limit(answer, limit, _stops(body)) for answer in said]
    usage = _usage(prompt_tokens, sum(len(choice.tokens) for choice in choices))
    head = {
        "id": f"chatcmpl-{text.number('id', *key):016x}",
        "created": CREATED,
        "model": endpoint.model_id,
    }
    if body.get("stream"):
        wants_usage = (body.get("stream_options") or {}).get("include_usage")
        events = tuple(_stream(head, choices, usage if wants_usage else None))
        return Reply(200, events, "text/event-stream; charset=utf-8", streamed=True)
    return reply.json(_whole(head, choices, usage))


def content(message: dict[str, Any]) -> str:
    """A message's text: a string, the text parts of a list, or nothing."""
    value = message.get("content")
    if isinstance(value, list):
        return "\n".join(str(part.get("text", "")) for part in value)
    return value or ""


def question(messages: list[dict[str, Any]]) -> str:
    """The last thing that the user said, without a directive at its end."""
    return _split(_last(messages))[0]


def directive(body: dict[str, Any]) -> str:
    """What stands in ``[[simulate ...]]`` at the end of the last user message, or nothing."""
    messages = body.get("messages")
    return _split(_last(messages))[1] if _is_messages(messages) else ""


def _last(messages: list[dict[str, Any]]) -> str:
    return next((content(item) for item in reversed(messages) if item["role"] == "user"), "")


def _split(said: str) -> tuple[str, str]:
    before, found, rest = said.rstrip().rpartition("[[simulate ")
    return (before.rstrip(), rest[:-2]) if found and rest.endswith("]]") else (said, "")


def _limit(answer: str, limit: int, stops: tuple[str, ...]) -> Choice:
    ends = [position for stop in stops if (position := answer.find(stop)) >= 0]
    tokens = tuple(text.pieces(answer[: min(ends, default=None)]))
    if limit and len(tokens) > limit:
        return Choice(tokens[:limit], "length")
    return Choice(tokens, "stop")


def _stops(body: dict[str, Any]) -> tuple[str, ...]:
    stop = body.get("stop") or ()
    return tuple(filter(None, [stop] if isinstance(stop, str) else stop))


def _usage(prompt: int, completion: int) -> dict[str, object]:
    return {
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
        "completion_tokens": completion,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


def _whole(head: dict[str, Any], choices: list[Choice], usage: object) -> dict[str, object]:
    return {
        **head,
        "object": "chat.completion",
        "choices": [
            {
                "index": index,
                "message": {"role": "assistant", "content": "".join(choice.tokens)},
                "logprobs": None,
                "finish_reason": choice.finish_reason,
                "stop_reason": None,
            }
            for index, choice in enumerate(choices)
        ],
        "usage": usage,
        "prompt_logprobs": None,
    }


def _stream(head: dict[str, Any], choices: list[Choice], usage: object) -> Iterator[bytes]:
    head = {**head, "object": "chat.completion.chunk"}
    for index, choice in enumerate(choices):
        for delta, finish_reason in _deltas(choice):
            piece = {
                "index": index,
                "delta": delta,
                "logprobs": None,
                "finish_reason": finish_reason,
            }
            yield reply.event({**head, "choices": [piece]})
    if usage:
        yield reply.event({**head, "choices": [], "usage": usage})
    yield DONE


def _deltas(choice: Choice) -> Iterator[tuple[dict[str, str], str | None]]:
    yield {"role": "assistant", "content": ""}, None
    for token in choice.tokens:
        yield {"content": token}, None
    yield {"content": ""}, choice.finish_reason


def _problem(body: dict[str, Any]) -> str | None:
    """What is wrong with the first field that is wrong."""
    for name, fits, expected in _FIELDS:
        value = body.get(name)
        if value is None and name not in _REQUIRED:
            continue
        if not fits(value):
            return f"{name}: {expected} was expected, found {str(value)[:60]!r}."
    if body.get("stream_options") and not body.get("stream"):
        return "stream_options: it is allowed only when stream is true."
    return None


def _is_message(value: object) -> bool:
    return isinstance(value, dict) and value.get("role") in _ROLES and _is_content(value)


def _is_content(message: dict[str, Any]) -> bool:
    value = message.get("content")
    if isinstance(value, list):
        return all(isinstance(part, dict) and isinstance(part.get("type"), str) for part in value)
    return value is None or isinstance(value, str)


def _is_messages(value: object) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(value, list) and bool(value) and all(map(_is_message, value))


def _is_stop(value: object) -> bool:
    return isinstance(value, str) or _all_strings(value)


def _all_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _integer(lowest: int, highest: int) -> Callable[[object], bool]:
    within = _real(lowest, highest)
    return lambda value: isinstance(value, int) and within(value)


def _real(lowest: float, highest: float) -> Callable[[object], bool]:
    return lambda value: (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and lowest <= value <= highest
    )


def _is(kind: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kind)


_REQUIRED = ("messages",)
_FIELDS: Iterable[tuple[str, Callable[[object], bool], str]] = (
    ("messages", _is_messages, "a list of messages with a role and a content"),
    ("max_tokens", _integer(1, 10**9), "an integer of at least 1"),
    ("max_completion_tokens", _integer(1, 10**9), "an integer of at least 1"),
    ("temperature", _real(0, 2), "a number between 0 and 2"),
    ("top_p", _real(0, 1), "a number between 0 and 1"),
    ("n", _integer(1, _MOST_CHOICES), f"an integer between 1 and {_MOST_CHOICES}"),
    ("stream", _is(bool), "true or false"),
    ("stream_options", _is(dict), "an object"),
    ("stop", _is_stop, "a string or a list of strings"),
)

"""``POST /completions``: the older API, which goes on with a prompt."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from ai_gateway.simulator import chat, fields, reply, text
from ai_gateway.simulator.answering import Answer, answer
from ai_gateway.simulator.conversation import Conversation, Turn
from ai_gateway.simulator.entrances import Question
from ai_gateway.simulator.fields import Field
from ai_gateway.simulator.reply import DONE, OPENAI, Reply

_LIMIT = 16  # tokens, where the caller names no number


def completions(question: Question) -> Reply:
    """Each prompt's answers, plain or as a stream."""
    body = question.body
    problem = fields.problem(body, _FIELDS)
    if problem:
        return OPENAI.error(400, problem)
    asked = [_conversation(prompt, body) for prompt in prompts(body["prompt"])]
    problem = next((one.too_long for one in asked if one.too_long), None)
    if problem:
        return OPENAI.error(400, problem)
    key = chat.draw_key(question, body["prompt"])
    numbers = range(body.get("n") or 1)
    answers = [
        answer(one, question.endpoint, question.fault, *key, index, number)
        for index, one in enumerate(asked)
        for number in numbers
    ]
    head = {
        "id": f"cmpl-{text.number('id', *key):016x}",
        "object": "text_completion",
        "created": chat.CREATED,
        "model": question.model,
    }
    spent = _usage(asked, answers)
    if not body.get("stream"):
        choices = [
            _choice(body, index, list(said.tokens), said) for index, said in enumerate(answers)
        ]
        return reply.json({**head, "choices": choices, "usage": spent})
    pieces = [list(_chunks(body, index, said)) for index, said in enumerate(answers)]
    events = [reply.event({**head, "choices": [piece]}) for piece in chat.in_turns(pieces)]
    wanted = (body.get("stream_options") or {}).get("include_usage")
    last = [reply.event({**head, "choices": [], "usage": spent})] if wanted else []
    return reply.stream((*events, *last, DONE))


def prompts(value: Any) -> list[str]:
    """The texts of a prompt or an input; a token id stands for a word of its own."""
    items = value if isinstance(value, list) else [value]
    if all(isinstance(item, int) for item in items):
        items = [items]
    return [
        item if isinstance(item, str) else " ".join(f"token{n}" for n in item) for item in items
    ]


def _conversation(prompt: str, body: dict[str, Any]) -> Conversation:
    return Conversation(
        (Turn("user", prompt),),
        limit=body.get("max_tokens") or _LIMIT,
        stops=chat.stops(body.get("stop")),
    )


def _usage(asked: list[Conversation], answers: list[Answer]) -> dict[str, Any]:
    prompt, completion = sum(one.tokens for one in asked), sum(said.used for said in answers)
    return {
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
        "completion_tokens": completion,
        "prompt_tokens_details": None,
    }


def _chunks(body: dict[str, Any], index: int, said: Answer) -> Iterator[dict[str, Any]]:
    for token in said.tokens:
        yield _choice(body, index, [token], None)
    yield _choice(body, index, [], said)


def _choice(
    body: dict[str, Any], index: int, tokens: list[str], ended: Answer | None
) -> dict[str, Any]:
    return {
        "index": index,
        "text": "".join(tokens),
        "logprobs": _logprobs(tokens) if body.get("logprobs") is not None else None,
        "finish_reason": ended.finish if ended else None,
        "stop_reason": ended.stop if ended else None,
    }


def _logprobs(tokens: list[str]) -> dict[str, Any]:
    return {
        "tokens": tokens,
        "token_logprobs": [chat.logprob(token) for token in tokens],
        "top_logprobs": [{token: chat.logprob(token)} for token in tokens],
        "text_offset": list(accumulate((len(token) for token in tokens[:-1]), initial=0)),
    }


_FIELDS = (
    Field("prompt", fields.prompts, "a text, a list of texts, or token ids", required=True),
    Field("max_tokens", fields.integer(1, 10**9), "an integer of at least 1"),
    Field("n", fields.integer(1, chat.MOST_CHOICES), "an integer between 1 and 8"),
    Field("logprobs", fields.integer(0, 5), "an integer between 0 and 5"),
    Field("stream", fields.is_a(bool), "true or false"),
    Field("stream_options", fields.is_a(dict), "an object"),
    Field("stop", fields.strings, "a string or a list of strings"),
)

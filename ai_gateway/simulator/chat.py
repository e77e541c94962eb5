"""``POST /chat/completions``: what is refused, what is answered, and how it is streamed.

The shapes are those of vLLM's OpenAI server, which NIM shares. Fields that are not read here are
taken and not acted on, as older servers do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from typing import Any

import orjson

from ai_gateway.simulator import fields, reply, text
from ai_gateway.simulator.answering import Answer, answer
from ai_gateway.simulator.conversation import Conversation, Tool, Turn, content, images
from ai_gateway.simulator.entrances import Question
from ai_gateway.simulator.fields import Field
from ai_gateway.simulator.reply import DONE, OPENAI, Reply

CREATED = 1_767_225_600  # 2026-01-01; fixed, so that a recording made again is the same
MOST_CHOICES = 8
_MOST_LOGPROBS = 20
_SPEAKERS = {"developer": "system", "function": "tool"}
#: What the model could have said instead, for ``top_logprobs``.
_OTHERS = (" the", " a", " of", " and", " to", " in", " is", " it", " that", " for")
_ANY_OBJECT = {"type": "object", "properties": {"answer": {"type": "string"}}}


def completions(question: Question) -> Reply:
    """The answer to a chat completion, plain or as a stream."""
    body = question.body
    asked = _conversation(body) if (problem := _problem(body)) is None else None
    if asked is None or (problem := asked.too_long):
        return OPENAI.error(400, problem or "")
    key = draw_key(question, body["messages"])
    count = body.get("n") or 1
    answers = [answer(asked, question.endpoint, question.fault, *key, n) for n in range(count)]
    head = {
        "id": f"chatcmpl-{text.number('id', *key):016x}",
        "created": CREATED,
        "model": question.model,
    }
    spent = usage(asked, answers)
    if not body.get("stream"):
        return reply.json(_whole(head, [_choice(question, said) for said in answers], spent))
    head |= {"object": "chat.completion.chunk"}
    wanted = (body.get("stream_options") or {}).get("include_usage")
    if wanted:
        head |= {"usage": None}
    pieces = [list(_chunks(question, index, said)) for index, said in enumerate(answers)]
    events = [reply.event({**head, "choices": [piece]}) for piece in in_turns(pieces)]
    last = [reply.event({**head, "choices": [], "usage": spent})] if wanted else []
    return reply.stream((*events, *last, DONE))


def draw_key(question: Question, said: object) -> tuple[object, ...]:
    """What all draws for an answer follow from."""
    seed = question.body.get("seed")
    words = orjson.dumps(said, option=orjson.OPT_SORT_KEYS).hex()
    own = (question.seed, question.endpoint.name, words)
    return own if seed is None else (*own, seed)


def in_turns(pieces: Sequence[Sequence[Any]]) -> Iterator[Any]:
    """The chunks of several choices as a server sends them that makes them at the same time."""
    return (piece for piece in chain.from_iterable(zip_longest(*pieces)) if piece is not None)


def usage(asked: Conversation, answers: Sequence[Answer]) -> dict[str, Any]:
    """Tokens in the words of chat completions."""
    prompt, completion = asked.tokens, sum(said.used for said in answers)
    thought = sum(len(said.reasoning) for said in answers)
    return {
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
        "completion_tokens": completion,
        "prompt_tokens_details": {"cached_tokens": asked.cached},
        **({"completion_tokens_details": {"reasoning_tokens": thought}} if thought else {}),
    }


def stops(value: Any) -> tuple[str, ...]:
    """The stop sequences in a string, a list or nothing."""
    return tuple(filter(None, [value] if isinstance(value, str) else value or ()))


def _whole(head: dict[str, Any], choices: list[dict[str, Any]], spent: object) -> dict[str, Any]:
    return {
        **head,
        "object": "chat.completion",
        "choices": [{"index": index, **choice} for index, choice in enumerate(choices)],
        "usage": spent,
        "prompt_logprobs": None,
    }


def _choice(question: Question, said: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if said.calls else said.text,
        "refusal": None,
    }
    if said.reasoning:
        message[str(question.fault.reasoning)] = said.thought
    if said.calls:
        message["tool_calls"] = [
            _call(call.number, call.name, call.arguments) for call in said.calls
        ]
    return {
        "message": message,
        "logprobs": _logprobs(question.body, said.tokens),
        "finish_reason": said.finish,
        "stop_reason": said.stop,
    }


def _chunks(question: Question, index: int, said: Answer) -> Iterator[dict[str, Any]]:
    for delta, tokens in _deltas(question, said):
        logprobs = _logprobs(question.body, tokens) if tokens else None
        yield {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": None}
    yield {
        "index": index,
        "delta": {"content": ""},
        "logprobs": None,
        "finish_reason": said.finish,
        "stop_reason": said.stop,
    }


def _deltas(question: Question, said: Answer) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    """The deltas, and the tokens of each that have log probabilities."""
    yield {"role": "assistant", "content": ""}, ()
    for token in said.reasoning:
        yield {str(question.fault.reasoning): token}, ()
    for token in said.tokens:
        yield {"content": token}, (token,)
    for number, call in enumerate(said.calls):
        yield {"tool_calls": [{"index": number, **_call(call.number, call.name, "")}]}, ()
        for fragment in call.fragments:
            piece = {"index": number, "function": {"arguments": fragment}}
            yield {"tool_calls": [piece]}, ()


def _call(number: int, name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": f"chatcmpl-tool-{number:016x}", "type": "function", "function": function}


def logprob(token: str) -> float:
    """A made-up log probability, the same for the same token."""
    return -(text.number("logprob", token) % 1000) / 1000


def _logprobs(body: dict[str, Any], tokens: Sequence[str]) -> dict[str, Any] | None:
    if not body.get("logprobs"):
        return None
    most = body.get("top_logprobs") or 0
    entries = [
        {**_entry(token), "top_logprobs": [_entry(other) for other in (token, *_OTHERS)[:most]]}
        for token in tokens
    ]
    return {"content": entries, "refusal": None}


def _entry(token: str) -> dict[str, Any]:
    return {"token": token, "logprob": logprob(token), "bytes": list(token.encode())}


def _conversation(body: dict[str, Any]) -> Conversation:
    return Conversation(
        turns=tuple(_turn(message) for message in body["messages"]),
        tools=tuple(_tool(item["function"]) for item in body.get("tools") or ()),
        choice=_tool_choice(body),
        parallel=body.get("parallel_tool_calls") is not False,
        schema=_schema(body),
        limit=body.get("max_completion_tokens") or body.get("max_tokens") or 0,
        stops=stops(body.get("stop")),
    )


def _turn(message: dict[str, Any]) -> Turn:
    said = content(message.get("content"))
    calls = message.get("tool_calls")
    if calls:
        said += orjson.dumps(calls).decode()
    role = message["role"]
    return Turn(_SPEAKERS.get(role, role), said, images(message.get("content")))


def _tool(function: dict[str, Any]) -> Tool:
    description = str(function.get("description") or "")
    return Tool(function["name"], description, function.get("parameters") or {"type": "object"})


def _tool_choice(body: dict[str, Any]) -> str:
    choice = body.get("tool_choice") or "auto"
    return choice if isinstance(choice, str) else str(choice["function"]["name"])


def _schema(body: dict[str, Any]) -> dict[str, Any] | None:
    """The schema of a structured answer, in OpenAI's words or those of older NIMs and vLLM."""
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        return wanted["json_schema"].get("schema") or _ANY_OBJECT
    if wanted.get("type") == "json_object":
        return _ANY_OBJECT
    guided = (
        body.get("guided_json")
        or (body.get("nvext") or {}).get("guided_json")
        or (body.get("structured_outputs") or {}).get("json")
    )
    return guided if isinstance(guided, dict) else None


def _problem(body: dict[str, Any]) -> str | None:
    """What is wrong with the first thing that is wrong."""
    problem = fields.problem(body, _FIELDS)
    if problem:
        return problem
    if body.get("stream_options") and not body.get("stream"):
        return "stream_options: it is allowed only when stream is true."
    names = [item["function"]["name"] for item in body.get("tools") or ()]
    choice = _tool_choice(body)
    if choice not in ("auto", "none", *names) and (choice != "required" or not names):
        return f"tool_choice: there is no tool {choice[:60]!r}."
    return None


def _is_choice(value: object) -> bool:
    return isinstance(value, str) or (
        isinstance(value, dict) and fields.named(value.get("function"))
    )


def _is_format(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    if value.get("type") == "json_schema":
        return fields.named(value.get("json_schema"))
    return value.get("type") in ("text", "json_object")


_FIELDS = (
    Field(
        "messages", fields.messages, "a list of messages with a role and a content", required=True
    ),
    Field("max_tokens", fields.integer(1, 10**9), "an integer of at least 1"),
    Field("max_completion_tokens", fields.integer(1, 10**9), "an integer of at least 1"),
    Field("temperature", fields.real(0, 2), "a number between 0 and 2"),
    Field("top_p", fields.real(0, 1), "a number between 0 and 1"),
    Field("n", fields.integer(1, MOST_CHOICES), f"an integer between 1 and {MOST_CHOICES}"),
    Field("seed", fields.is_a(int), "an integer"),
    Field("stream", fields.is_a(bool), "true or false"),
    Field("stream_options", fields.is_a(dict), "an object"),
    Field("stop", fields.strings, "a string or a list of strings"),
    Field("logprobs", fields.is_a(bool), "true or false"),
    Field(
        "top_logprobs",
        fields.integer(0, _MOST_LOGPROBS),
        f"an integer between 0 and {_MOST_LOGPROBS}",
    ),
    Field("tools", fields.tools, "a list of functions with a name"),
    Field("tool_choice", _is_choice, "auto, none, required or a function"),
    Field("response_format", _is_format, "text, json_object or json_schema"),
)

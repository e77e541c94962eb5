"""``POST /responses``, stateless: items in, items out, plain or as numbered events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from ai_gateway.simulator import chat, fields, reply, text
from ai_gateway.simulator.answering import Answer, Call, answer
from ai_gateway.simulator.conversation import Conversation, Tool, Turn, content, images
from ai_gateway.simulator.entrances import Question
from ai_gateway.simulator.fields import Field
from ai_gateway.simulator.reply import RESPONSES, Reply

_ANY_OBJECT = {"type": "object", "properties": {"answer": {"type": "string"}}}
#: What a response repeats of its request, with the value that stands for an absent field.
_ECHOED: dict[str, object] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
Event = tuple[str, dict[str, Any]]


def responses(question: Question) -> Reply:
    """The answer to the items in ``input``."""
    body = question.body
    problem = fields.problem(body, _FIELDS) or _problem(body)
    if problem:
        return RESPONSES.error(400, problem)
    if body.get("previous_response_id"):
        name = body["previous_response_id"]
        return RESPONSES.error(404, f"Response with id '{name[:60]}' not found.")
    asked = _conversation(body)
    if asked.too_long:
        return RESPONSES.error(400, asked.too_long)
    key = chat.draw_key(question, body["input"])
    said = answer(asked, question.endpoint, question.fault, *key)
    number = text.number("id", *key)
    whole = _whole(question, number, asked, said)
    if not body.get("stream"):
        return reply.json(whole)
    events = enumerate(_events(whole, said))
    return reply.stream(
        tuple(
            reply.named({"type": kind, **event, "sequence_number": at})
            for at, (kind, event) in events
        )
    )


def _whole(question: Question, number: int, asked: Conversation, said: Answer) -> dict[str, Any]:
    cut = said.finish == "length"
    echoed = {name: question.body.get(name) or value for name, value in _ECHOED.items()}
    return {
        "id": f"resp_{number:016x}",
        "object": "response",
        "created_at": chat.CREATED,
        "status": "incomplete" if cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "model": question.model,
        "output": list(_items(number, said)),
        "store": False,
        "usage": {
            "input_tokens": asked.tokens,
            "input_tokens_details": {"cached_tokens": asked.cached},
            "output_tokens": said.used,
            "output_tokens_details": {"reasoning_tokens": len(said.reasoning)},
            "total_tokens": asked.tokens + said.used,
        },
        **echoed,
    }


def _items(number: int, said: Answer) -> Iterator[dict[str, Any]]:
    if said.reasoning:
        yield {
            "id": f"rs_{number:016x}",
            "type": "reasoning",
            "summary": [],
            "content": [{"type": "reasoning_text", "text": said.thought}],
            "status": "completed",
        }
    if not said.calls:
        yield {
            "id": f"msg_{number:016x}",
            "type": "message",
            "role": "assistant",
            "content": [_part(said.text)],
            "status": "completed",
        }
    for call in said.calls:
        yield {
            "id": f"fc_{call.number:016x}",
            "type": "function_call",
            "call_id": f"call_{call.number:016x}",
            "name": call.name,
            "arguments": call.arguments,
            "status": "completed",
        }


def _part(said: str) -> dict[str, Any]:
    return {"type": "output_text", "text": said, "annotations": [], "logprobs": []}


def _events(whole: dict[str, Any], said: Answer) -> Iterator[Event]:
    blank: dict[str, Any] = {
        "status": "in_progress",
        "output": [],
        "usage": None,
        "incomplete_details": None,
    }
    start = {**whole, **blank}
    yield "response.created", {"response": start}
    yield "response.in_progress", {"response": start}
    calls = iter(said.calls)
    for index, item in enumerate(whole["output"]):
        place = {"item_id": item["id"], "output_index": index}
        yield "response.output_item.added", {"output_index": index, "item": _empty(item)}
        if item["type"] == "function_call":
            yield from _call_events(place, next(calls))
        elif item["type"] == "reasoning":
            yield from _reasoning_events({**place, "content_index": 0}, said)
        else:
            yield from _text_events({**place, "content_index": 0}, said)
        yield "response.output_item.done", {"output_index": index, "item": item}
    yield f"response.{whole['status']}", {"response": whole}


def _empty(item: dict[str, Any]) -> dict[str, Any]:
    """An item as it is before its first delta."""
    blank: dict[str, Any] = {"arguments": ""} if "arguments" in item else {"content": []}
    return {**item, **blank, "status": "in_progress"}


def _text_events(place: dict[str, Any], said: Answer) -> Iterator[Event]:
    yield "response.content_part.added", {**place, "part": _part("")}
    for token in said.tokens:
        yield "response.output_text.delta", {**place, "delta": token, "logprobs": []}
    yield "response.output_text.done", {**place, "text": said.text, "logprobs": []}
    yield "response.content_part.done", {**place, "part": _part(said.text)}


def _reasoning_events(place: dict[str, Any], said: Answer) -> Iterator[Event]:
    for token in said.reasoning:
        yield "response.reasoning_text.delta", {**place, "delta": token}
    yield "response.reasoning_text.done", {**place, "text": said.thought}


def _call_events(place: dict[str, Any], call: Call) -> Iterator[Event]:
    for fragment in call.fragments:
        yield "response.function_call_arguments.delta", {**place, "delta": fragment}
    done = {**place, "name": call.name, "arguments": call.arguments}
    yield "response.function_call_arguments.done", done


def _conversation(body: dict[str, Any]) -> Conversation:
    items = body["input"]
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    turns = [_turn(item) for item in items]
    if body.get("instructions"):
        turns = [Turn("system", body["instructions"]), *turns]
    choice = body.get("tool_choice") or "auto"
    return Conversation(
        turns=tuple(turns),
        tools=tuple(
            Tool(item["name"], str(item.get("description") or ""), item.get("parameters") or {})
            for item in _functions(body)
        ),
        choice=choice if isinstance(choice, str) else choice["name"],
        parallel=body.get("parallel_tool_calls") is not False,
        schema=_schema(body),
        limit=body.get("max_output_tokens") or 0,
    )


def _functions(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [item for item in body.get("tools") or () if item.get("type") == "function"]


def _schema(body: dict[str, Any]) -> dict[str, Any] | None:
    wanted = (body.get("text") or {}).get("format") or {}
    if wanted.get("type") == "json_object":
        return _ANY_OBJECT
    schema = wanted.get("schema")
    return schema if isinstance(schema, dict) else None


def _turn(item: dict[str, Any]) -> Turn:
    kind = item.get("type", "message")
    if kind == "function_call_output":
        output = item.get("output")
        return Turn("tool", content(output), images(output))
    if kind != "message":
        return Turn("assistant", orjson.dumps(item).decode())
    role = "system" if item["role"] == "developer" else item["role"]
    return Turn(role, content(item.get("content")), images(item.get("content")))


def _problem(body: dict[str, Any]) -> str | None:
    """What goes beyond single fields."""
    if not all(fields.named(item) for item in _functions(body)):
        return "tools: a function was expected to have a name."
    choice = body.get("tool_choice") or "auto"
    names = [item["name"] for item in _functions(body)]
    if isinstance(choice, dict):
        choice = choice.get("name")
    if choice not in ("auto", "none", *names) and (choice != "required" or not names):
        return f"tool_choice: there is no tool {str(choice)[:60]!r}."
    return None


def _is_input(value: object) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and bool(value) and all(map(_is_item, value))
    )


def _is_item(item: object) -> bool:
    if not isinstance(item, dict):
        return False
    if item.get("type", "message") == "message":
        return fields.messages([item])
    return isinstance(item["type"], str)


_FIELDS = (
    Field("input", _is_input, "a text or a list of items", required=True),
    Field("instructions", fields.is_a(str), "a text"),
    Field("previous_response_id", fields.is_a(str), "a text"),
    Field("max_output_tokens", fields.integer(1, 10**9), "an integer of at least 1"),
    Field("temperature", fields.real(0, 2), "a number between 0 and 2"),
    Field("stream", fields.is_a(bool), "true or false"),
    Field("tools", fields.objects, "a list of tools"),
    Field("text", fields.is_a(dict), "an object"),
)

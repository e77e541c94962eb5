"""Anthropic's ``POST /messages`` and ``/messages/count_tokens``, which vLLM and NIM 2 have too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson

from ai_gateway.simulator import chat, fields, reply, text
from ai_gateway.simulator.answering import Answer, answer
from ai_gateway.simulator.conversation import Conversation, Tool, Turn, content, images
from ai_gateway.simulator.entrances import VERSIONS, Question
from ai_gateway.simulator.fields import Field
from ai_gateway.simulator.reply import ANTHROPIC, Reply

_CHOICES = {"any": "required", "auto": "auto", "none": "none"}
_LEAST_THINKING = 1024  # tokens


def messages(question: Question) -> Reply:
    """The answer to a conversation, plain or as a stream of named events."""
    body = question.body
    problem = fields.problem(body, _FIELDS) or _problem(question)
    asked = None if problem else _conversation(body)
    if asked is None or (problem := asked.too_long):
        return ANTHROPIC.error(400, problem or "")
    key = chat.draw_key(question, body["messages"])
    said = answer(asked, question.endpoint, _fault(question), *key)
    whole = {
        "id": f"msg_{text.number('id', *key):016x}",
        "type": "message",
        "role": "assistant",
        "model": question.model,
        "content": list(_blocks(said)),
        **_ended(said),
        "usage": {**_usage(body, asked), "output_tokens": said.used},
    }
    return reply.stream(tuple(_events(whole, said))) if body.get("stream") else reply.json(whole)


def count_tokens(question: Question) -> Reply:
    """How many tokens the conversation has as a prompt."""
    problem = fields.problem(question.body, _COUNTED) or _problem(question)
    if problem:
        return ANTHROPIC.error(400, problem)
    return reply.json({"input_tokens": _conversation(question.body).tokens})


def _fault(question: Question) -> Any:
    """The directive, where thinking may also be asked for by the request itself."""
    thinking = question.body.get("thinking") or {}
    asked = thinking.get("type") in ("enabled", "adaptive")
    return replace(question.fault, reasoning="reasoning") if asked else question.fault


def _conversation(body: dict[str, Any]) -> Conversation:
    choice = body.get("tool_choice") or {"type": "auto"}
    system = content(body.get("system"))
    turns = [turn for message in body["messages"] for turn in _turns(message)]
    return Conversation(
        turns=tuple([Turn("system", system), *turns] if system else turns),
        tools=tuple(
            Tool(item["name"], str(item.get("description") or ""), item.get("input_schema") or {})
            for item in body.get("tools") or ()
        ),
        choice=_CHOICES.get(choice["type"]) or choice["name"],
        parallel=not choice.get("disable_parallel_tool_use"),
        schema=_schema(body),
        limit=body.get("max_tokens") or 0,
        stops=chat.stops(body.get("stop_sequences")),
    )


def _schema(body: dict[str, Any]) -> dict[str, Any] | None:
    """The schema of a structured answer, as ``output_config.format`` has it."""
    wanted = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    schema = wanted.get("schema")
    return schema if isinstance(schema, dict) else None


def _turns(message: dict[str, Any]) -> Iterator[Turn]:
    """A message, and each tool's result in it as a turn of its own before what the user says."""
    said = message["content"]
    if isinstance(said, str):
        yield Turn(message["role"], said)
        return
    results = [block.get("content") for block in said if block["type"] == "tool_result"]
    for result in results:
        yield Turn("tool", content(result), images(result))
    words = content(said)
    calls = [block for block in said if block["type"] in ("tool_use", "thinking")]
    if calls:
        words += orjson.dumps(calls).decode()
    if words or images(said) or not results:
        yield Turn(message["role"], words, images(said))


def _blocks(said: Answer) -> Iterator[dict[str, Any]]:
    if said.reasoning:
        yield {"type": "thinking", "thinking": said.thought, "signature": _signature(said)}
    if said.tokens:
        yield {"type": "text", "text": said.text}
    for call in said.calls:
        yield {
            "type": "tool_use",
            "id": f"toolu_{call.number:016x}",
            "name": call.name,
            "input": orjson.loads(call.arguments),
        }


def _signature(said: Answer) -> str:
    return f"{text.number('signature', said.thought):016x}"


def _ended(said: Answer) -> dict[str, str | None]:
    reasons = {"length": "max_tokens", "tool_calls": "tool_use"}
    reason = reasons.get(said.finish) or ("stop_sequence" if said.stop else "end_turn")
    return {"stop_reason": reason, "stop_sequence": said.stop}


def _usage(body: dict[str, Any], asked: Conversation) -> dict[str, Any]:
    """Tokens of the prompt, apart from those that were cached because the caller marked them."""
    marked = b'"cache_control"' in orjson.dumps(body)
    read = asked.cached if marked else 0
    created = asked.tokens - asked.turns[-1].tokens - read if marked else 0
    return {
        "input_tokens": asked.tokens - read - created,
        "cache_creation_input_tokens": created,
        "cache_read_input_tokens": read,
    }


def _events(whole: dict[str, Any], said: Answer) -> Iterator[bytes]:
    start = {
        **whole,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**whole["usage"], "output_tokens": 1},
    }
    yield reply.named({"type": "message_start", "message": start})
    for index, block in enumerate(whole["content"]):
        empty, deltas = _streamed(block, said)
        head = {"type": "content_block_start", "index": index, "content_block": empty}
        yield reply.named(head)
        if not index:
            yield reply.named({"type": "ping"})
        for delta in deltas:
            yield reply.named({"type": "content_block_delta", "index": index, "delta": delta})
        yield reply.named({"type": "content_block_stop", "index": index})
    ended = {name: whole[name] for name in ("stop_reason", "stop_sequence")}
    spent = {"output_tokens": whole["usage"]["output_tokens"]}
    yield reply.named({"type": "message_delta", "delta": ended, "usage": spent})
    yield reply.named({"type": "message_stop"})


def _streamed(block: dict[str, Any], said: Answer) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block as it starts, and what is added to it."""
    if block["type"] == "text":
        added = [{"type": "text_delta", "text": token} for token in said.tokens]
        return {**block, "text": ""}, added
    if block["type"] == "thinking":
        added = [{"type": "thinking_delta", "thinking": token} for token in said.reasoning]
        last = {"type": "signature_delta", "signature": block["signature"]}
        return {**block, "thinking": "", "signature": ""}, [*added, last]
    call = next(call for call in said.calls if block["id"].endswith(f"{call.number:016x}"))
    pieces = ["", *call.fragments]
    added = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return {**block, "input": {}}, added


def _problem(question: Question) -> str | None:
    """What goes beyond single fields."""
    body = question.body
    if question.headers.get("anthropic-version") == VERSIONS[-1] and (gone := _removed(body)):
        return gone
    if any(message["role"] not in ("user", "assistant") for message in body["messages"]):
        return "messages: a role is user or assistant."
    if any(message.get("content") is None for message in body["messages"]):
        return "messages: a content was expected."
    choice = body.get("tool_choice") or {"type": "auto"}
    names = [item["name"] for item in body.get("tools") or ()]
    if choice.get("type") not in _CHOICES and choice.get("name") not in names:
        return f"tool_choice: there is no tool {str(choice.get('name'))[:60]!r}."
    thinking = body.get("thinking") or {}
    budget = thinking.get("budget_tokens", _LEAST_THINKING)
    if not isinstance(budget, int) or budget < _LEAST_THINKING:
        return f"thinking.budget_tokens: at least {_LEAST_THINKING} was expected."
    return None


def _removed(body: dict[str, Any]) -> str | None:
    """What API version 2026-10-21 does not take any longer."""
    if any(map(_misplaced, body["messages"])):
        return "messages: a document of the assistant, or citations of the user"
    removed = [name for name in _REMOVED if name in body]
    return f"{removed[0]}: Extra inputs are not permitted" if removed else None


def _misplaced(message: dict[str, Any]) -> bool:
    """Whether a message holds what is taken from the other side only."""
    blocks = message["content"] if isinstance(message.get("content"), list) else []
    if message["role"] == "assistant":
        return any(block["type"] == "document" for block in blocks)
    return any(block["type"] == "text" and block.get("citations") for block in blocks)


_REMOVED = ("temperature", "top_p", "top_k")
_COUNTED = (
    Field(
        "messages", fields.messages, "a list of messages with a role and a content", required=True
    ),
    Field("tools", fields.all_named, "a list of tools with a name"),
    Field("tool_choice", fields.is_a(dict), "an object"),
    Field("thinking", fields.is_a(dict), "an object"),
)
_FIELDS = (
    *_COUNTED,
    Field("max_tokens", fields.integer(1, 10**9), "an integer of at least 1", required=True),
    Field("temperature", fields.real(0, 1), "a number between 0 and 1"),
    Field("stop_sequences", fields.strings, "a list of strings"),
    Field("stream", fields.is_a(bool), "true or false"),
)

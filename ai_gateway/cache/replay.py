"""A whole answer as the stream that would have led to it, for callers that asked for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from ai_gateway import strictjson

Body = Mapping[str, Any]
Chunk = dict[str, Any]

_PIECE: Final = 256  # characters of a chunk: enough to be quick, few enough to look like a stream


def replay(answer: Body, format_name: str, request: Body) -> Iterator[Chunk]:
    """The events' data that a reader of that format puts together to ``answer``.

    ``request`` says whether usage was asked for. Raises KeyError for a format without streams.
    """
    return _REPLAYS[format_name](answer, request)


def _pieces(text: object) -> Iterator[str]:
    if isinstance(text, str):
        for start in range(0, len(text), _PIECE):
            yield text[start : start + _PIECE]


def _wants_usage(request: Body) -> bool:
    options = request.get("stream_options")
    return isinstance(options, Mapping) and options.get("include_usage") is True


def _chat(answer: Body, request: Body) -> Iterator[Chunk]:
    frame = {k: v for k, v in answer.items() if k not in ("choices", "usage")}
    frame["object"] = "chat.completion.chunk"
    for choice in answer["choices"]:
        for changed in _choice(choice):
            yield {**frame, "choices": [{"index": choice.get("index", 0), **changed}]}
    if _wants_usage(request):
        yield {**frame, "choices": [], "usage": answer.get("usage")}


def _choice(choice: Body) -> Iterator[Chunk]:
    message = choice["message"]
    spoken = ("reasoning", "reasoning_content", "content")
    first = {k: v for k, v in message.items() if k not in (*spoken, "tool_calls")}
    yield {"delta": {"role": "assistant", **first}, "finish_reason": None}
    for name in spoken:
        for piece in _pieces(message.get(name)):
            yield {"delta": {name: piece}, "finish_reason": None}
    for index, call in enumerate(message.get("tool_calls") or ()):
        yield {"delta": {"tool_calls": [{"index": index, **call}]}, "finish_reason": None}
    rest = {k: v for k, v in choice.items() if k not in ("index", "message")}
    yield {"delta": {}, **rest}


def _completions(answer: Body, request: Body) -> Iterator[Chunk]:
    frame = {k: v for k, v in answer.items() if k not in ("choices", "usage")}
    for choice in answer["choices"]:
        index = {"index": choice.get("index", 0)}
        for piece in _pieces(choice.get("text")):
            yield {**frame, "choices": [{**index, "text": piece, "finish_reason": None}]}
        yield {**frame, "choices": [{**choice, **index, "text": ""}]}
    if _wants_usage(request):
        yield {**frame, "choices": [], "usage": answer.get("usage")}


def _messages(answer: Body, _request: Body) -> Iterator[Chunk]:
    usage = answer.get("usage") or {}
    started = {**answer, "content": [], "stop_reason": None, "stop_sequence": None}
    yield {"type": "message_start", "message": {**started, "usage": {**usage, "output_tokens": 0}}}
    for index, block in enumerate(answer["content"]):
        for event in _block(block):
            yield {"type": event.pop("type"), "index": index, **event}
    ended = {name: answer.get(name) for name in ("stop_reason", "stop_sequence")}
    counted = {"output_tokens": usage.get("output_tokens")}
    yield {"type": "message_delta", "delta": ended, "usage": counted}
    yield {"type": "message_stop"}


#: How a block's content comes in deltas: its key, the delta's type, and the delta's key.
_DELTAS: Final = {
    "text": ("text", "text_delta", "text"),
    "thinking": ("thinking", "thinking_delta", "thinking"),
}


def _block(block: Body) -> Iterator[Chunk]:
    kind = block.get("type")
    if kind in _DELTAS:
        begun, deltas = _spoken(block, *_DELTAS[kind])
    elif kind in ("tool_use", "server_tool_use"):
        written = strictjson.dumps(block.get("input") or {}).decode()
        begun = {**block, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in _pieces(written)]
    else:
        begun, deltas = dict(block), []
    yield {"type": "content_block_start", "content_block": begun}
    for delta in deltas:
        yield {"type": "content_block_delta", "delta": delta}
    yield {"type": "content_block_stop"}


def _spoken(block: Body, name: str, kind: str, key: str) -> tuple[Chunk, list[Chunk]]:
    later = ("signature", "citations")
    begun = {k: v for k, v in block.items() if k not in later or not v} | {name: ""}
    deltas: list[Chunk] = [
        {"type": "citations_delta", "citation": citation}
        for citation in block.get("citations") or ()
    ]
    deltas += ({"type": kind, key: piece} for piece in _pieces(block.get(name)))
    if block.get("signature"):
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    return begun, deltas


def _responses(answer: Body, _request: Body) -> Iterator[Chunk]:
    """Events are numbered in one row over all of the stream."""
    for number, event in enumerate(_response(answer)):
        yield {**event, "sequence_number": number}


def _response(answer: Body) -> Iterator[Chunk]:
    begun = {**answer, "status": "in_progress", "output": [], "usage": None}
    begun["incomplete_details"] = None
    for kind in ("created", "in_progress"):
        yield {"type": f"response.{kind}", "response": begun}
    for index, item in enumerate(answer["output"]):
        yield from _item(index, item)
    status = "incomplete" if answer.get("status") == "incomplete" else "completed"
    yield {"type": f"response.{status}", "response": dict(answer)}


def _item(index: int, item: Body) -> Iterator[Chunk]:
    kind, place = item.get("type"), {"output_index": index}
    of_item = {**place, "item_id": item.get("id", "")}
    empty: Chunk = {}
    if kind == "message":
        empty = {"content": [], "status": "in_progress"}
    elif kind == "function_call":
        empty = {"arguments": "", "status": "in_progress"}
    yield {"type": "response.output_item.added", **place, "item": {**item, **empty}}
    if kind == "message":
        for number, part in enumerate(item.get("content") or ()):
            yield from _part(part, {**of_item, "content_index": number})
    elif kind == "function_call":
        whole = item.get("arguments", "")
        for piece in _pieces(whole):
            yield {"type": "response.function_call_arguments.delta", **of_item, "delta": piece}
        named = {"name": item.get("name"), "arguments": whole}
        yield {"type": "response.function_call_arguments.done", **of_item, **named}
    yield {"type": "response.output_item.done", **place, "item": dict(item)}


def _part(part: Body, place: Chunk) -> Iterator[Chunk]:
    spoken = part.get("type") == "output_text"
    name, event = ("text", "output_text") if spoken else ("refusal", "refusal")
    said = {name: part.get(name), "logprobs": part.get("logprobs") or []}
    yield {"type": "response.content_part.added", **place, "part": {**part, name: ""}}
    for piece in _pieces(part.get(name)):
        yield {"type": f"response.{event}.delta", **place, "delta": piece, "logprobs": []}
    yield {"type": f"response.{event}.done", **place, **said}
    yield {"type": "response.content_part.done", **place, "part": dict(part)}


_REPLAYS: Final[Mapping[str, Callable[[Body, Body], Iterator[Chunk]]]] = {
    "chat": _chat,
    "completions": _completions,
    "messages": _messages,
    "responses": _responses,
}

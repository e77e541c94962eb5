"""The Messages API's events as a chat completion's chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ai_gateway.errors import UpstreamError
from ai_gateway.formats import messages
from ai_gateway.translate.anthropic import chat_answer, reasoning, words

Chunk = dict[str, Any]


def stream(
    events: Iterable[Mapping[str, Any]], request: Mapping[str, Any], created: int = 0
) -> Iterator[Chunk]:
    """The chunks of ``events``; raises UpstreamError for an error, or an end without its event."""
    options = request.get("stream_options")
    usage = isinstance(options, Mapping) and options.get("include_usage") is True
    chunks = _Chunks(created, usage=usage)
    for event in events:
        yield from chunks.add(event)
        if event.get("type") == "message_stop":
            return
    raise UpstreamError("The model's stream was cut: it ended before the answer did.")


class _Chunks:
    """Where the stream stands."""

    def __init__(self, created: int, *, usage: bool) -> None:
        self._created = created
        self._include = usage
        self._head: Chunk | None = None
        self._usage: dict[str, Any] = {}
        #: The open block's type, and what it is to the caller: a call's index, or a thought's.
        self._kind = ""
        self._number = 0
        self._counts = {"tool_use": 0, "thinking": 0}
        self._empty = False
        self._finished = False

    def add(self, event: Mapping[str, Any]) -> Iterator[Chunk]:
        """The chunks of one event; pings, and events of later versions, say nothing."""
        kind = event.get("type")
        if kind == "error":
            raise messages.error(event)
        if kind == "message_start":
            yield self._start(_object(event, "message"))
        elif self._head is not None:
            yield from self._part(event)
        elif kind != "ping":
            raise UpstreamError("The model's stream began in the middle of an answer.")

    def _part(self, event: Mapping[str, Any]) -> Iterator[Chunk]:
        match event.get("type"):
            case "content_block_start":
                yield from self._begin(_object(event, "content_block"))
            case "content_block_delta":
                yield from self._add(_object(event, "delta"))
            case "content_block_stop":
                yield from self._stop()
            case "message_delta":
                self._count(event.get("usage"))
                yield self._finish(_object(event, "delta"))
            case "message_stop":
                yield from self._end()

    def _start(self, message: Mapping[str, Any]) -> Chunk:
        self._head = chat_answer.head(message, "chat.completion.chunk", self._created)
        self._count(message.get("usage"))
        return self._chunk({"role": "assistant", "content": ""})

    def _count(self, found: object) -> None:
        """Counts are cumulative, and one that is left out stands as it was."""
        if isinstance(found, Mapping):
            self._usage |= {key: value for key, value in found.items() if value is not None}

    def _chunk(self, delta: Chunk, **ended: Any) -> Chunk:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None} | ended
        return self._whole([choice], None)

    def _whole(self, choices: list[Chunk], usage: Chunk | None) -> Chunk:
        chunk = {**(self._head or {}), "choices": choices}
        return chunk | {"usage": usage} if self._include else chunk

    def _begin(self, block: Mapping[str, Any]) -> Iterator[Chunk]:
        chat_answer.check(block)
        self._kind = block["type"]
        if self._kind == "text":
            yield from self._say("content", block["text"])
            return
        family = "tool_use" if self._kind == "tool_use" else "thinking"
        self._number, self._counts[family] = self._counts[family], self._counts[family] + 1
        if family == "tool_use":
            yield from self._call(block)
        elif block.get("data") or block.get("thinking"):
            yield self._think(block)

    def _call(self, block: Mapping[str, Any]) -> Iterator[Chunk]:
        call = chat_answer.call(block)
        self._empty = not block["input"]
        if self._empty:  # it comes in pieces, or not at all
            call["function"]["arguments"] = ""
        yield self._chunk({"tool_calls": [{"index": self._number, **call}]})

    def _think(self, piece: Mapping[str, Any]) -> Chunk:
        delta: Chunk = {"reasoning_details": [reasoning.detail(piece, self._number)]}
        if piece.get("thinking"):
            delta["reasoning_content"] = piece["thinking"]
        return self._chunk(delta)

    def _say(self, name: str, text: str) -> Iterator[Chunk]:
        if text:
            yield self._chunk({name: text})

    def _add(self, delta: Mapping[str, Any]) -> Iterator[Chunk]:
        kind = delta.get("type")
        if kind == "text_delta":
            yield from self._say("content", _string(delta, "text"))
        elif kind == "input_json_delta":
            yield from self._argue(_string(delta, "partial_json"))
        elif kind in ("thinking_delta", "signature_delta"):
            name = str(kind).removesuffix("_delta")
            if said := _string(delta, name):
                yield self._think({name: said})
        else:
            raise UpstreamError("The model answered with what a chat completion cannot hold.")

    def _argue(self, text: str) -> Iterator[Chunk]:
        if text:
            self._empty = False
            function = {"arguments": text}
            yield self._chunk({"tool_calls": [{"index": self._number, "function": function}]})

    def _stop(self) -> Iterator[Chunk]:
        """A call without arguments is one with none: an empty string is no JSON."""
        if self._kind == "tool_use" and self._empty:
            yield from self._argue("{}")
        self._kind = ""

    def _finish(self, ended: Mapping[str, Any]) -> Chunk:
        self._finished = True
        said = chat_answer.refusal(ended)
        return self._chunk({"refusal": said} if said else {}, **words.finish_reason(ended))

    def _end(self) -> Iterator[Chunk]:
        if not self._finished:
            raise UpstreamError("The model's stream ended without saying why its answer did.")
        if self._include:
            yield self._whole([], words.to_chat_usage(self._usage))


def _object(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = event.get(name)
    if not isinstance(found, Mapping):
        raise UpstreamError(f"The model sent an event without its {name}.")
    return found


def _string(delta: Mapping[str, Any], name: str) -> str:
    found = delta.get(name)
    if not isinstance(found, str):
        raise UpstreamError(f"The model sent a delta without its {name}.")
    return found

"""A chat completion's stream as the Messages API's events.

Blocks come one after another, as the Messages API sends them: what belongs to another block ends
the one that is open. Nothing is held back but the end, since usage comes after it, and a tool call
that begins in the middle of another's arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ai_gateway import strictjson
from ai_gateway.errors import UpstreamError
from ai_gateway.formats import chat
from ai_gateway.translate.anthropic import messages_answer, reasoning, words
from ai_gateway.translate.deltas import Calls, check

Event = dict[str, Any]
#: A block's type, and which of them it is.
Key = tuple[str, int]

_TEXT: Key = ("text", 0)
_THINKING: Key = ("thinking", 0)
_REDACTED: Key = ("redacted_thinking", 0)


def stream(
    chunks: Iterable[Mapping[str, Any]],
    request: Mapping[str, Any],
    created: int = 0,  # noqa: ARG001 - the Messages API has no times
) -> Iterator[Event]:
    """The events of ``chunks``; raises UpstreamError for an error, or an end without a reason."""
    events = _Events(hidden=messages_answer.hidden(request))
    for chunk in chunks:
        yield from events.add(chunk)
    yield from events.end()


class _Blocks:
    """The blocks of a stream, of which at most one is open."""

    def __init__(self) -> None:
        self._index = -1
        self._open: Key | None = None

    @property
    def call(self) -> int | None:
        """The number of the tool call that is open."""
        kind, number = self._open or _TEXT
        return number if kind == "tool_use" else None

    def begin(self, key: Key, block: Event) -> Iterator[Event]:
        yield from self.close()
        self._index += 1
        self._open = key
        yield {"type": "content_block_start", "index": self._index, "content_block": block}

    def add(self, key: Key, block: Event, delta: Event) -> Iterator[Event]:
        """``delta`` to the block of ``key``, which begins as ``block`` if it is not open."""
        if self._open != key:
            yield from self.begin(key, block)
        yield {"type": "content_block_delta", "index": self._index, "delta": delta}

    def more(self, key: Key, delta: Event) -> Event:
        """``delta`` to the block of ``key``, which cannot be opened again."""
        if self._open != key:
            raise UpstreamError("The model wrote on at a tool call after it had begun another.")
        return {"type": "content_block_delta", "index": self._index, "delta": delta}

    def close(self) -> Iterator[Event]:
        if self._open is not None:
            self._open = None
            yield {"type": "content_block_stop", "index": self._index}


class _Events:
    """Where the stream stands, and what its end will say."""

    def __init__(self, *, hidden: bool) -> None:
        self._hidden = hidden
        self._head: Mapping[str, Any] | None = None
        self._blocks = _Blocks()
        self._calls = Calls()
        #: The arguments of the open call, and fragments of those that wait for its end.
        self._said: list[str] = []
        self._waiting: dict[int, list[Mapping[str, Any]]] = {}
        self._usage: object = None
        self._finished: Mapping[str, Any] | None = None

    def add(self, chunk: Mapping[str, Any]) -> Iterator[Event]:
        """The events of one chunk."""
        if chunk.get("error") or chunk.get("object") == "error":
            raise UpstreamError("The model broke off its answer.")
        usage = chunk.get("usage")
        if isinstance(usage, Mapping) and usage:  # some servers end with an empty one
            self._usage = usage
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
            return  # usage alone, or what a filter said of the prompt
        if self._head is None:
            yield self._start(chunk)
        yield from self._choice(choices[0])

    def _start(self, chunk: Mapping[str, Any]) -> Event:
        self._head = chunk
        message = messages_answer.head(chunk) | {
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": words.to_messages_usage(self._usage),
        }
        return {"type": "message_start", "message": message}

    def _choice(self, choice: Mapping[str, Any]) -> Iterator[Event]:
        delta = choice.get("delta")
        if isinstance(delta, Mapping):
            check(delta)
            yield from self._thoughts(delta)
            for text in filter(None, messages_answer.texts(delta)):
                yield from self._release()
                said = {"type": "text_delta", "text": text}
                yield from self._blocks.add(_TEXT, {"type": "text", "text": ""}, said)
            calls = delta.get("tool_calls")
            for call in calls if isinstance(calls, list) else ():
                yield from self._call(call)
        if chat.ended(choice):
            self._finished = choice

    def _thoughts(self, delta: Mapping[str, Any]) -> Iterator[Event]:
        for piece in [] if self._hidden else reasoning.pieces(delta):
            yield from self._release()
            if piece["type"] == "redacted_thinking":
                yield from self._blocks.begin(_REDACTED, piece)
            elif piece["signature"] == reasoning.PARTED:
                yield from self._think(piece, piece["signature"])
            else:
                yield from self._think(piece, "")
                yield from self._sign(piece["signature"])

    def _think(self, piece: Event, signature: str) -> Iterator[Event]:
        """More of a thinking block, which begins with ``signature`` if none is open."""
        if piece["thinking"]:
            begun = {"type": "thinking", "thinking": "", "signature": signature}
            thought = {"type": "thinking_delta", "thinking": piece["thinking"]}
            yield from self._blocks.add(_THINKING, begun, thought)

    def _sign(self, signature: str) -> Iterator[Event]:
        """The end of a thinking block, where it is signed."""
        if signature:
            begun = {"type": "thinking", "thinking": "", "signature": ""}
            signed = {"type": "signature_delta", "signature": signature}
            yield from self._blocks.add(_THINKING, begun, signed)
            yield from self._blocks.close()

    def _call(self, call: Any) -> Iterator[Event]:
        function = call.get("function") if isinstance(call, Mapping) else None
        if not isinstance(function, Mapping):
            return
        number, new = self._calls.number(call, function)
        if number != self._blocks.call and (self._waiting or (new and self._is_amid())):
            self._waiting.setdefault(number, []).append(call)
        else:
            yield from self._write(number, call, new=new)

    def _is_amid(self) -> bool:
        """Whether more is due of the open call's arguments."""
        if self._blocks.call is None:
            return False
        said = "".join(self._said)
        return not said or words.INVALID in words.tool_input(said)

    def _release(self) -> Iterator[Event]:
        """What waited for the end of a call, one call after another."""
        waiting, self._waiting = self._waiting, {}
        for number, fragments in waiting.items():
            for at, call in enumerate(fragments):
                yield from self._write(number, call, new=at == 0)

    def _write(self, number: int, call: Mapping[str, Any], *, new: bool) -> Iterator[Event]:
        key = ("tool_use", number)
        if new:
            block = messages_answer.tool_use(self._head or {}, number, call)
            for signature in messages_answer.signature(call, block):
                yield from self._blocks.begin(_REDACTED, signature)
            yield from self._blocks.begin(key, block)
            self._said = []
        given = call["function"].get("arguments")
        if given:
            text = given if isinstance(given, str) else strictjson.dumps(given).decode()
            self._said.append(text)
            yield self._blocks.more(key, {"type": "input_json_delta", "partial_json": text})

    def end(self) -> Iterator[Event]:
        """The last events."""
        if self._finished is None:
            raise UpstreamError("The model's stream was cut: it ended before the answer did.")
        yield from self._release()
        yield from self._blocks.close()
        yield {
            "type": "message_delta",
            "delta": words.stop_reason(self._finished, called=len(self._calls) > 0),
            "usage": words.to_messages_usage(self._usage),
        }
        yield {"type": "message_stop"}

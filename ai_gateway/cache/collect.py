"""A stream that passed, put together to the whole answer that it amounts to: ``replay`` undone.

A stream that does not end, is too large, or holds what is not known here amounts to none: the worst
that can come of it is a miss.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from ai_gateway import strictjson
from ai_gateway.errors import GatewayError

Body = Mapping[str, Any]
Whole = dict[str, Any]

MAX_EVENTS: Final = 100_000
MAX_CHARACTERS: Final = 1_000_000


class _Unknown(Exception):
    """An event that cannot be put together with others."""


class _Collected(Protocol):
    """One format's stream so far."""

    def add(self, chunk: Body) -> int:
        """Take one event's data; how many characters of it are kept."""

    def answer(self) -> Whole | None:
        """The whole answer; None where its end has not come."""


class Collector:
    """Takes the events of a stream as they pass, and keeps no more of them than an answer."""

    def __init__(self, format_name: str) -> None:
        make = _FORMATS.get(format_name)
        self._collected = make() if make else None
        self._events = self._characters = 0

    def add(self, chunk: Body) -> None:
        """One event's data; never raises."""
        if self._collected is None:
            return
        try:
            self._characters += self._collected.add(chunk)
            self._events += 1
        except (_Unknown, ValueError, TypeError, LookupError, AttributeError):
            self._collected = None
        if self._events > MAX_EVENTS or self._characters > MAX_CHARACTERS:
            self._collected = None

    def answer(self) -> Whole | None:
        """The whole answer, if that is what passed."""
        if self._collected is None:
            return None
        try:
            return self._collected.answer()
        except (GatewayError, ValueError, TypeError, LookupError, AttributeError):
            return None


class _Choices(ABC):
    """What chat and completions have in common: a frame, choices by index, a usage."""

    kind: str

    def __init__(self) -> None:
        self._frame: Whole = {}
        self._usage: Any = None
        self._choices: dict[int, Whole] = {}
        self._texts: dict[tuple[int, str], list[str]] = {}

    def add(self, chunk: Body) -> int:
        self._frame |= {k: v for k, v in chunk.items() if k not in ("choices", "usage")}
        self._usage = chunk.get("usage") or self._usage
        return sum(self._choice(choice) for choice in chunk.get("choices") or ())

    def _choice(self, choice: Body) -> int:
        index = choice.get("index", 0)
        held = self._choices.setdefault(index, {"index": index})
        _extend(held, choice.get("logprobs"))
        for name, value in choice.items():
            if name not in ("index", "delta", "text", "logprobs"):
                held[name] = held.get(name) if value is None else value
        return self._said(index, held, choice)

    @abstractmethod
    def _said(self, index: int, held: Whole, choice: Body) -> int:
        """Take what a choice says; how many characters of it are kept."""

    def _say(self, index: int, name: str, text: str) -> int:
        self._texts.setdefault((index, name), []).append(text)
        return len(text)

    def _text(self, index: int, name: str) -> str | None:
        pieces = self._texts.get((index, name))
        return None if pieces is None else "".join(pieces)

    def _whole(self, choices: list[Whole]) -> Whole | None:
        if not choices or any(choice.get("finish_reason") is None for choice in choices):
            return None
        answer = {**self._frame, "object": self.kind, "choices": choices}
        return answer if self._usage is None else {**answer, "usage": self._usage}


class _Chat(_Choices):
    kind = "chat.completion"

    def _said(self, index: int, held: Whole, choice: Body) -> int:
        size = 0
        message = held.setdefault("message", {"role": "assistant", "content": None})
        for name, value in (choice.get("delta") or {}).items():
            if name in _SPOKEN and isinstance(value, str):
                size += self._say(index, name, value)
            elif name == "tool_calls":
                size += sum(self._call(index, message, call) for call in value or ())
            elif name == "role" or value is None:
                message[name] = value
            else:
                raise _Unknown
        return size

    def _call(self, index: int, message: Whole, call: Body) -> int:
        place = call.get("index", 0)
        calls = message.setdefault("tool_calls", {})
        held = calls.setdefault(place, {"type": "function", "function": {}})
        held |= {k: v for k, v in call.items() if v is not None and k not in ("index", "function")}
        function = dict(call.get("function") or {})
        arguments = function.pop("arguments", None) or ""
        held["function"] |= {k: v for k, v in function.items() if v is not None}
        return self._say(index, f"tool {place}", arguments)

    def answer(self) -> Whole | None:
        found = sorted(self._choices.items())
        return self._whole([self._finished(index, held) for index, held in found])

    def _finished(self, index: int, held: Whole) -> Whole:
        message = dict(held["message"])
        said = {name: self._text(index, name) for name in _SPOKEN}
        message |= {name: text for name, text in said.items() if text is not None}
        if "tool_calls" in message:
            calls = sorted(message["tool_calls"].items())
            message["tool_calls"] = [self._called(index, *found) for found in calls]
            message["content"] = message["content"] or None  # a stream begins with an empty text
        return {**held, "message": message}

    def _called(self, index: int, place: int, call: Whole) -> Whole:
        arguments = self._text(index, f"tool {place}")
        return {**call, "function": {**call["function"], "arguments": arguments}}


class _Completions(_Choices):
    kind = "text_completion"

    def _said(self, index: int, _held: Whole, choice: Body) -> int:
        return self._say(index, "text", choice.get("text") or "")

    def answer(self) -> Whole | None:
        found = sorted(self._choices.items())
        return self._whole([{**held, "text": self._text(index, "text")} for index, held in found])


#: Of a message: what comes in pieces.
_SPOKEN: Final = ("content", "refusal", "reasoning", "reasoning_content")


def _extend(choice: Whole, logprobs: Any) -> None:
    """Add a chunk's log probabilities: lists that go on from chunk to chunk.

    Raises TypeError or ValueError for what is no mapping.
    """
    if logprobs is None:
        choice.setdefault("logprobs", None)
        return
    held = choice.get("logprobs") or {}
    for name, values in dict(logprobs).items():
        held[name] = values if values is None else [*(held.get(name) or ()), *values]
    choice["logprobs"] = held


class _Messages:
    """Blocks by index, each from its start and its deltas."""

    def __init__(self) -> None:
        self._message: Whole = {}
        self._blocks: dict[int, Whole] = {}
        self._pieces: dict[tuple[int, str], list[str]] = {}
        self._stopped = False

    def add(self, chunk: Body) -> int:
        kind = chunk.get("type")
        if kind == "message_start":
            self._message = dict(chunk["message"])
        elif kind == "content_block_start":
            self._blocks[chunk["index"]] = dict(chunk["content_block"])
        elif kind == "content_block_delta":
            return self._delta(chunk["index"], chunk["delta"])
        elif kind == "message_delta":
            self._end(chunk)
        elif kind == "message_stop":
            self._stopped = True
        elif kind not in ("content_block_stop", "ping"):
            raise _Unknown
        return 0

    def _delta(self, index: int, delta: Body) -> int:
        kind = delta["type"]
        if kind == "citations_delta":
            block = self._blocks[index]
            block["citations"] = [*(block.get("citations") or ()), delta["citation"]]
            return 0
        name = _PIECES.get(kind)
        if name is None:
            raise _Unknown
        self._pieces.setdefault((index, name), []).append(delta[name])
        return len(delta[name])

    def _end(self, chunk: Body) -> None:
        self._message |= chunk["delta"]
        counted = {k: v for k, v in (chunk.get("usage") or {}).items() if v is not None}
        self._message["usage"] = {**(self._message.get("usage") or {}), **counted}

    def answer(self) -> Whole | None:
        if not self._stopped:
            return None
        for (index, name), pieces in self._pieces.items():
            text, block = "".join(pieces), self._blocks[index]
            if name == "partial_json":
                block["input"] = strictjson.loads(text.encode()) if text else {}
            else:
                block[name] = block.get(name, "") + text
        return {**self._message, "content": [block for _, block in sorted(self._blocks.items())]}


_PIECES: Final = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}


class _Responses:
    """The last event holds it all."""

    def __init__(self) -> None:
        self._response: Whole | None = None

    def add(self, chunk: Body) -> int:
        if chunk.get("type") in ("response.completed", "response.incomplete"):
            self._response = dict(chunk["response"])
        return 0

    def answer(self) -> Whole | None:
        return self._response


_FORMATS: Final[Mapping[str, Callable[[], _Collected]]] = {
    "chat": _Chat,
    "completions": _Completions,
    "messages": _Messages,
    "responses": _Responses,
}

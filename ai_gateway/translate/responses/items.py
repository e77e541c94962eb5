"""The items of a Response while a stream says them, and the events that tell of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from ai_gateway.translate.responses.reading import Body

Event = dict[str, Any]


class Item(ABC):
    """An item at ``index`` of the output: opened once, added to, and closed with its status."""

    def __init__(self, kind: str, prefix: str, shared: str, index: int) -> None:
        self.kind = kind
        self.status = "in_progress"
        self._identity = f"{prefix}_{shared}_{index}"
        self._index = index

    def open(self) -> Event:
        """The event that adds it to the output."""
        return self._whole("response.output_item.added")

    def close(self, status: str) -> Iterator[Event]:
        """The events that end it; ``status`` is ``completed`` or ``incomplete``."""
        yield from self._end()
        self.status = status
        yield self._whole("response.output_item.done")

    def cut(self) -> None:
        """Nothing more comes of what is open."""
        if self.status == "in_progress":
            self.status = "incomplete"

    @abstractmethod
    def _end(self) -> Iterator[Event]:
        """The events that end what is open of its content."""

    def value(self) -> dict[str, Any]:
        """The item with what was said so far."""
        return {"id": self._identity, "type": self.kind, "status": self.status}

    def _whole(self, kind: str) -> Event:
        return {"type": kind, "output_index": self._index, "item": self.value()}

    def _event(self, kind: str, **said: Any) -> Event:
        return {
            "type": f"response.{kind}",
            "item_id": self._identity,
            "output_index": self._index,
            **said,
        }


class Words(Item):
    """A message or reasoning: parts of which the last may be open."""

    def __init__(self, kind: str, shared: str, index: int) -> None:
        super().__init__(kind, "msg" if kind == "message" else "rs", shared, index)
        self._parts: list[dict[str, Any]] = []
        self._open: str | None = None
        self._pieces: list[str] = []
        self._logprobs: list[Body] = []

    def say(self, part: str, text: str, logprobs: Sequence[Body] = ()) -> Iterator[Event]:
        """Some more of ``part``: ``output_text``, ``refusal`` or ``reasoning_text``."""
        if part != self._open:
            yield from self._end()
            self._open = part
            yield self._part_event("content_part.added")
        self._pieces.append(text)
        self._logprobs.extend(logprobs)
        yield self._text_event("delta", "delta", text, logprobs)

    def add_logprobs(self, logprobs: Sequence[Body]) -> None:
        """What came after the last words: the end's own tokens."""
        self._logprobs.extend(logprobs)

    def _end(self) -> Iterator[Event]:
        if self._open is None:
            return
        named = "refusal" if self._open == "refusal" else "text"
        yield self._text_event("done", named, "".join(self._pieces), self._logprobs)
        yield self._part_event("content_part.done")
        self._parts.append(self._part(self._open))
        self._open, self._pieces, self._logprobs = None, [], []

    def _text_event(self, end: str, named: str, text: str, logprobs: Sequence[Body]) -> Event:
        place: dict[str, Any] = {"content_index": len(self._parts), named: text}
        if self._open == "output_text":
            place["logprobs"] = list(logprobs)
        return self._event(f"{self._open}.{end}", **place)

    def _part_event(self, kind: str) -> Event:
        return self._event(kind, content_index=len(self._parts), part=self._part(str(self._open)))

    def _part(self, kind: str) -> dict[str, Any]:
        text = "".join(self._pieces)
        if kind != "output_text":
            return {"type": kind, ("refusal" if kind == "refusal" else "text"): text}
        return {"type": kind, "text": text, "annotations": [], "logprobs": list(self._logprobs)}

    def value(self) -> dict[str, Any]:
        """The item with its parts."""
        parts = [*self._parts, *([self._part(self._open)] if self._open else [])]
        own: dict[str, Any] = {"role": "assistant"} if self.kind == "message" else {"summary": []}
        return {**super().value(), **own, "content": parts}


class Call(Item):
    """A function call."""

    def __init__(self, shared: str, index: int, call_id: str, name: str) -> None:
        super().__init__("function_call", "fc", shared, index)
        self._call_id = call_id
        self._name = name
        self._pieces: list[str] = []

    def say(self, arguments: str) -> Iterator[Event]:
        """Some more of the arguments."""
        if arguments:
            self._pieces.append(arguments)
            yield self._event("function_call_arguments.delta", delta=arguments)

    def _end(self) -> Iterator[Event]:
        yield self._event(
            "function_call_arguments.done", name=self._name, arguments="".join(self._pieces)
        )

    def value(self) -> dict[str, Any]:
        """The item with its arguments."""
        said = {"call_id": self._call_id, "name": self._name, "arguments": "".join(self._pieces)}
        return {**super().value(), **said}


class Sealed(Item):
    """Reasoning that nobody reads but the provider, who must get it back."""

    def __init__(self, shared: str, index: int, content: str) -> None:
        super().__init__("reasoning", "rs", shared, index)
        self._content = content

    def _end(self) -> Iterator[Event]:
        yield from ()

    def value(self) -> dict[str, Any]:
        """The item with what it holds."""
        return {**super().value(), "summary": [], "encrypted_content": self._content}

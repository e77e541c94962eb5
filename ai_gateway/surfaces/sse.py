"""Streams on the wire: server-sent events, as each API's own SDK reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ai_gateway import strictjson
from ai_gateway.answer.call import Answer, Chunks
from ai_gateway.errors import GatewayError
from ai_gateway.problems import SHAPES


class EventStream:
    """A stream's bytes. What breaks after the first is an event of its own, never a silent end."""

    errors = "openai"
    #: A comment, which every reader of server-sent events passes over.
    heartbeat = b": ping\n\n"

    def __init__(self, answer: Answer) -> None:
        if answer.chunks is None:
            raise TypeError("the answer is not streamed")
        self._chunks: Chunks = answer.chunks

    def __iter__(self) -> Iterator[bytes]:
        """One event after another."""
        try:
            for chunk in self.events():
                yield self.event(chunk)
            if end := self.end():
                yield end
        except GatewayError as error:
            yield self.failure(error)
        finally:
            self._chunks.close()

    def events(self) -> Iterator[dict[str, Any]]:
        """What the caller gets of the model's events."""
        yield from self._chunks

    def close(self) -> None:
        """Nobody reads on; also called where nobody began."""
        self._chunks.close()

    def event(self, chunk: dict[str, Any]) -> bytes:
        """One event of a chat completion."""
        return b"data: " + strictjson.dumps(chunk) + b"\n\n"

    def end(self) -> bytes:
        """What tells a complete stream from one that was cut."""
        return b"data: [DONE]\n\n"

    def failure(self, error: GatewayError) -> bytes:
        """An error that the official SDKs raise."""
        return b"data: " + strictjson.dumps(SHAPES[self.errors](error)) + b"\n\n"


class NamedEventStream(EventStream):
    """Events that are named by their type, and end with one of their own."""

    def event(self, chunk: dict[str, Any]) -> bytes:
        """One event, named; one that a model sent without a type has no name here either."""
        data, kind = super().event(chunk), chunk.get("type")
        if isinstance(kind, str) and kind.isprintable():  # on several lines it would be more fields
            return b"event: " + kind.encode() + b"\n" + data
        return data

    def end(self) -> bytes:
        """Nothing: the last event says that it is."""
        return b""

    def failure(self, error: GatewayError) -> bytes:
        """An error that the official SDKs raise."""
        return b"event: error\ndata: " + strictjson.dumps(SHAPES[self.errors](error)) + b"\n\n"


class ResponsesStream(NamedEventStream):
    """As OpenAI's SDKs read the Responses API: ``response.failed`` comes after its cause."""

    _failed: dict[str, Any] | None = None

    def events(self) -> Iterator[dict[str, Any]]:
        """All but ``response.failed``, which waits for the end."""
        for event in self._chunks:
            if event.get("type") == "response.failed":
                self._failed = event
            else:
                yield event

    def end(self) -> bytes:
        """A failure that the model itself told of."""
        return self.event(self._failed) if self._failed else b""

    def failure(self, error: GatewayError) -> bytes:
        """The documentation has the cause beside the type, the SDKs look for it below ``error``."""
        failed, cause = self._failed, error.details()
        number = failed["sequence_number"] if failed else 0
        event = {**cause, "type": "error", "sequence_number": number, "error": cause}
        after = self.event({**failed, "sequence_number": number + 1}) if failed else b""
        return self.event(event) + after


class AnthropicStream(NamedEventStream):
    """As Anthropic's SDKs read it."""

    errors = "anthropic"
    heartbeat = b'event: ping\ndata: {"type": "ping"}\n\n'

"""A stream of chat-completion chunks as the events of the Responses API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from ai_gateway import strictjson
from ai_gateway.errors import GatewayError, UpstreamError
from ai_gateway.formats.chat import parts
from ai_gateway.translate import sealed
from ai_gateway.translate.deltas import Calls, check, parted, thought
from ai_gateway.translate.responses.items import Call, Event, Item, Sealed, Words
from ai_gateway.translate.responses.reading import Body
from ai_gateway.translate.responses.response import (
    end,
    logprobs,
    objects,
    response,
    suffix,
)


def stream(chunks: Iterable[Body], request: Body, created: int = 0) -> Iterator[dict[str, Any]]:
    """The events of ``chunks``, each as soon as it can be said; ``type`` names the event.

    Whatever breaks off, a stream that just stops too, is raised; after the first event a
    ``response.failed`` tells the caller of it before.
    """
    events = _Events(request, created)
    try:
        for chunk in chunks:
            yield from events.add(chunk)
        yield from events.end()
    except GatewayError as error:
        yield from events.fail(error)
        raise


class _Events:
    def __init__(self, request: Body, created: int) -> None:
        self._request = request
        self._created = created
        self._first: dict[str, Any] = {}
        self._shared = ""
        self._sent = 0
        self._items: list[Item] = []
        self._words: Words | None = None
        self._calls: list[Call] = []
        self._numbers = Calls()
        self._logprobs: list[Body] = []
        self._finish: object = None
        self._usage: object = None

    def add(self, chunk: Body) -> Iterator[Event]:
        """What one chunk brings."""
        if chunk.get("error"):
            raise UpstreamError("The model broke off its answer with an error.")
        self._usage = chunk.get("usage") or self._usage
        for choice in objects(chunk, "choices"):
            if not choice.get("index"):
                yield from self._numbered(self._choice(chunk, choice))

    def _choice(self, chunk: Body, choice: Body) -> Iterator[Event]:
        if not self._first:
            # Not the first chunk of all: a provider's own notes come before, without an id.
            created = chunk.get("created") or self._created
            self._first = {"choices": [], **chunk, "created": created}
            self._shared = suffix(self._request, chunk)
            yield self._response_event("response.created", status="in_progress")
            yield self._response_event("response.in_progress", status="in_progress")
        self._logprobs.extend(logprobs(choice))
        delta = choice.get("delta")
        if isinstance(delta, Mapping):
            yield from self._delta(delta)
        self._finish = choice.get("finish_reason") or self._finish

    def _delta(self, delta: Body) -> Iterator[Event]:
        check(delta)
        yield from self._say("reasoning", "reasoning_text", thought(delta) or parted(delta))
        yield from self._say("message", "output_text", "".join(parts(delta.get("content"))))
        yield from self._say("message", "refusal", delta.get("refusal"))
        for call in objects(delta, "tool_calls"):
            yield from self._call(call)

    def _say(self, kind: str, part: str, text: object) -> Iterator[Event]:
        if not isinstance(text, str) or not text:
            return
        if self._words is None or self._words.kind != kind:
            yield from self._close_words("completed")
            self._words = Words(kind, self._shared, len(self._items))
            yield self._open(self._words)
        found: list[Body] = []
        if part == "output_text":
            found, self._logprobs = self._logprobs, []
        yield from self._words.say(part, text, found)

    def _call(self, call: Body) -> Iterator[Event]:
        function = call.get("function")
        said: Body = function if isinstance(function, Mapping) else {}
        number, new = self._numbers.number(call, said)
        if new:
            yield from self._begin(call, said.get("name"))
        yield from self._calls[number].say(_arguments(said.get("arguments")))

    def _begin(self, call: Body, name: object) -> Iterator[Event]:
        if not isinstance(name, str) or not name:
            raise UpstreamError("The model called a tool without a name.")
        yield from self._close_words("completed")
        given = call.get("id")
        made = f"call_{self._shared}_{len(self._items)}"
        identity = given if isinstance(given, str) and given else made
        yield from self._seal(sealed.signature(call, identity))
        begun = Call(self._shared, len(self._items), identity, name)
        self._calls.append(begun)
        yield self._open(begun)

    def _seal(self, content: str) -> Iterator[Event]:
        """An item of what the caller gives back beside a call, where the model needs it."""
        if content:
            item = Sealed(self._shared, len(self._items), content)
            yield self._open(item)
            yield from item.close("completed")

    def _open(self, item: Item) -> Event:
        self._items.append(item)
        return item.open()

    def _close_words(self, status: str) -> Iterator[Event]:
        if self._words is not None:
            yield from self._words.close(status)
            self._words = None

    def end(self) -> Iterator[Event]:
        """What is left to say once all chunks have come."""
        if self._finish is None:
            raise UpstreamError("The model's stream was cut: it stopped before the answer ended.")
        yield from self._numbered(self._end())

    def _end(self) -> Iterator[Event]:
        ended = end(self._finish)
        if self._words is not None:
            self._words.add_logprobs(self._logprobs)
        for item in self._items:
            if item.status == "in_progress":
                last = item is self._items[-1]
                yield from item.close(ended.status if last else "completed")
        yield self._response_event(
            f"response.{ended.status}",
            status=ended.status,
            reason=ended.reason,
        )

    def fail(self, error: GatewayError) -> Iterator[Event]:
        """The event that says so, where the caller has heard of the response."""
        if self._first:
            for item in self._items:
                item.cut()
            said = {"code": _code(error.status), "message": error.message}
            failed = self._response_event("response.failed", status="failed", error=said)
            yield from self._numbered([failed])

    def _response_event(
        self, kind: str, *, status: str, reason: str | None = None, error: Body | None = None
    ) -> Event:
        said = response(
            self._request,
            self._first,
            status=status,
            output=[item.value() for item in self._items],
            usage=None if status == "in_progress" else self._usage,
            reason=reason,
            error=error,
        )
        return {"type": kind, "response": said}

    def _numbered(self, events: Iterable[Event]) -> Iterator[Event]:
        for event in events:
            event["sequence_number"] = self._sent
            self._sent += 1
            yield event


def _arguments(found: object) -> str:
    """JSON as a string; some servers send the object itself."""
    if isinstance(found, Mapping):
        return strictjson.dumps(found).decode()
    return found if isinstance(found, str) else ""


def _code(status: int) -> str:
    """The nearest of the few codes that a failed response may have."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "rate_limit_exceeded"
    return "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_prompt"

"""A streamed answer: its events one by one, and how it ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from itertools import chain
from typing import Any

from ai_gateway.errors import GatewayError, UpstreamError
from ai_gateway.upstream import answer, errors, inflate, sse
from ai_gateway.upstream.exchange import Incoming, RawReply
from ai_gateway.upstream.halves import Halves

Event = tuple[str | None, dict[str, Any]]
#: Whether an event's data says anything yet, or how the answer ended.
Says = Callable[[Mapping[str, Any]], bool]

_SILENT = 100  # events that may come before one that says something
_WHOLE = 32_000_000  # bytes of an answer in one piece
_FAILED = int(HTTPStatus.INTERNAL_SERVER_ERROR)
_DONE = b"[DONE]"
_BLANK = b"\xef\xbb\xbf \t\r\n"
_UNSTREAMED = (b"{", b"[", b"<")  # which no line of an event begins with
#: Seconds that the end of the body may follow ``[DONE]`` by, so that the connection is kept.
_LINGER = 0.1


class Stream:
    """A model's events, each its name (None for most) and its data, as they come.

    Raises the UpstreamError family where the stream breaks or holds an error, and CallerLeft. It
    ends by itself, or with ``close``; both let go of the connection. Used by one thread.

    It is opened with its first event that ``says`` something and the events before it, at most 100:
    a failure or an end until then is raised at once. Whatever comes after ``patience`` seconds of
    the call opens it as well, so that a model that only shows that it is alive is passed on.

    Attributes:
        status: Of the head, as are ``headers`` and ``request_id`` (the upstream's own).
        usage_asked: Whether the caller himself asked for the usage.
        first_byte_ms: Milliseconds from the call's beginning to the head.
        first_event_ms: The same to the first event that says something.
        simulated: Whether the stand-in answered.
    """

    def __init__(
        self,
        incoming: Incoming,
        token: str | None,
        most: int,
        *,
        usage_asked: bool,
        says: Says,
        patience: float,
    ) -> None:
        self.status = incoming.status
        self.headers: Mapping[str, str] = incoming.headers
        self.request_id = errors.request_id(incoming.headers)
        self.simulated = incoming.headers.get("x-gateway-simulated") == "true"
        self.usage_asked = usage_asked
        self.first_byte_ms = incoming.first_byte_ms
        # Apart from this object, so that one that is forgotten closes its connection at once.
        self._reading = _Reading(incoming, token)
        self._events = self._reading.events(most)
        self._held = deque(_begun(self._events, incoming, says, patience))
        self.first_event_ms = incoming.elapsed_ms()

    @property
    def named(self) -> str | None:
        """What the upstream itself calls the model, in what is here before anything is read."""
        return next((found for _, data in self._held if (found := named(data))), None)

    @property
    def done(self) -> bool:
        """Whether ``[DONE]`` was seen. Where it was not, the format knows the answer's end."""
        return self._reading.done

    def __iter__(self) -> Iterator[Event]:
        """The events; a second look goes on where the first one stopped."""
        return self

    def __next__(self) -> Event:
        return self._held.popleft() if self._held else next(self._events)

    def close(self) -> None:
        """Nothing more is read; the connection is closed if the stream was not over."""
        self._held.clear()
        self._events.close()


def named(data: Mapping[str, Any]) -> str | None:
    """The model that an answer or an event names as its own."""
    for part in (data, data.get("message"), data.get("response")):
        found = part.get("model") if isinstance(part, Mapping) else None
        if isinstance(found, str):
            return found
    return None


def _begun(
    events: Iterator[Event], incoming: Incoming, says: Says, patience: float
) -> Iterator[Event]:
    """The events up to the first that says something, or that is waited for no longer."""
    for count, event in enumerate(events, 1):
        yield event
        if says(event[1]) or count == _SILENT or incoming.elapsed_ms() > patience * 1000:
            return
    raise UpstreamError(f"{incoming.who} ended its stream before it said anything.")


class _Reading:
    """Reads the events out of an answer's bytes."""

    def __init__(self, incoming: Incoming, token: str | None) -> None:
        self.done = False
        self._over = False
        self._incoming = incoming
        self._who = incoming.who
        self._token = token
        self._halves = Halves()

    def events(self, most: int) -> Generator[Event, None, None]:
        """The events of at most ``most`` bytes."""
        incoming = self._incoming
        try:
            chunks = inflate.plain(incoming.chunks(), incoming.headers, self._who, most)
            for name, data in self._parsed(chunks):
                if data.startswith(_DONE):
                    self.done = True
                    self._drain(chunks)
                    return
                if data and not data.isspace():  # some keep a connection alive by empty events
                    yield name, self._object(name, data)
        finally:
            incoming.close()

    def _parsed(self, chunks: Iterator[bytes]) -> Iterator[sse.Event]:
        parser = sse.Parser(self._who)
        for chunk in self._streamed(chunks):
            yield from parser.feed(chunk)
        self._over = True
        yield from parser.end()

    def _streamed(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """``chunks``, unless they are one JSON value or a page, whatever their type says."""
        for chunk in chunks:
            begun = chunk.lstrip(_BLANK)
            if begun.startswith(_UNSTREAMED):
                raise self._unstreamed(chain([chunk], chunks))
            yield chunk
            if begun:
                break
        yield from chunks

    def _unstreamed(self, chunks: Iterable[bytes]) -> UpstreamError:
        body = b"".join(inflate.bounded(chunks, self._who, _WHOLE))
        incoming = self._incoming
        raw = RawReply(incoming.status, incoming.headers, body, 0.0, 0.0)
        answer.checked(self._who, raw, self._token, json_due=True)
        return UpstreamError(f"{self._who} answered in one piece where a stream was asked for.")

    def _object(self, name: str | None, data: bytes) -> dict[str, Any]:
        try:
            value = errors.unlisted(answer.parsed(data, self._halves.joined))
        except ValueError:
            value = None
        status = errors.code(value) if isinstance(value, dict) else None
        if status is not None or name == "error":
            headers, status = self._incoming.headers, status or _FAILED
            raise errors.refusal(self._who, status, headers, data, self._token)
        if not isinstance(value, dict):
            what = "ended early: its last event is cut" if self._over else "sent no JSON object"
            raise UpstreamError(f"{self._who} {what}.")
        return value

    def _drain(self, chunks: Iterator[bytes]) -> None:
        """Read the end of the body, which is due now; what comes instead is of no interest."""
        self._incoming.call.hold.hurry(_LINGER)
        with suppress(GatewayError):
            for _ in chunks:
                pass

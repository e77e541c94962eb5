"""One HTTP exchange: a request on a transport, and its answer within bounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, cast

import httpx

from ai_gateway.clock import Clock
from ai_gateway.errors import CallerLeft, GatewayError, UpstreamTimeout
from ai_gateway.upstream import errors, inflate
from ai_gateway.upstream.cancel import Hold
from ai_gateway.upstream.endpoint import Endpoint


class RawReply(NamedTuple):
    """An upstream's answer of any status; times in milliseconds since the call began."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    first_byte_ms: float
    latency_ms: float


class Call(NamedTuple):
    """One request, and the two ends of its time, of the clock's monotonic time."""

    method: str
    url: httpx.URL
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    started: float
    deadline: float
    hold: Hold
    #: Whether the upstream may get it twice, should a kept connection turn out to be dead.
    repeatable: bool = True
    #: Seconds that the answer may pause, once it has begun.
    stall: float | None = None


class Incoming:
    """An answer whose head has come. It must be closed, or read to its end."""

    def __init__(self, who: str, call: Call, clock: Clock, response: httpx.Response) -> None:
        self.who = who
        self.call = call
        self.first_byte_ms = (clock.monotonic() - call.started) * 1000
        self.status = response.status_code
        self.headers = _fields(response.headers.raw)
        self._clock = clock
        self._stream = cast("httpx.SyncByteStream", response.stream)

    def chunks(self) -> Iterator[bytes]:
        """The body as it comes; raises the UpstreamError family, or CallerLeft."""
        try:
            yield from self._stream
        except httpx.TransportError as error:
            raise _failure(self.who, self.call, self._clock, error, answering=True) from error

    def whole(self, most: int) -> RawReply:
        """All of it, without its content coding, of at most ``most`` bytes; closed."""
        try:
            chunks = list(inflate.plain(self.chunks(), self.headers, self.who, most))
        finally:
            self.close()
        return RawReply(
            status=self.status,
            headers=self.headers,
            body=b"".join(chunks),
            first_byte_ms=self.first_byte_ms,
            latency_ms=self.elapsed_ms(),
        )

    def elapsed_ms(self) -> float:
        """Milliseconds since the call began."""
        return (self._clock.monotonic() - self.call.started) * 1000

    def close(self) -> None:
        """End the exchange; its connection is kept if the body was read to its end."""
        self._stream.close()


def _fields(raw: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Headers by their names in lower case; bytes are told on as they are, whatever they mean."""
    found: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def sent(endpoint: Endpoint, call: Call, token: str | None, clock: Clock) -> Incoming:
    """The answer to ``call``, of any status. Redirects are not followed.

    Raises the UpstreamError family, or CallerLeft.
    """
    if call.hold.fired:
        raise _left(endpoint.who, may_have_run=False)
    if clock.monotonic() >= call.deadline:
        message = f"{endpoint.who} was not asked: the deadline was past."
        raise UpstreamTimeout(message, may_have_run=False)
    try:
        response = endpoint.transport.handle_request(_request(endpoint, call, token))
    except httpx.TransportError as error:
        raise _failure(endpoint.who, call, clock, error, answering=False) from error
    return Incoming(endpoint.who, call, clock, response)


def _request(endpoint: Endpoint, call: Call, token: str | None) -> httpx.Request:
    headers = [*endpoint.headers, *call.headers]
    if token is not None:
        headers.append(endpoint.signed(token))
    if call.body or call.method in ("POST", "PUT", "PATCH"):
        headers.append((b"content-length", b"%d" % len(call.body)))
    return httpx.Request(
        call.method,
        call.url,
        headers=headers,
        # A stream instead of content: httpx would look through the headers for what to add.
        stream=httpx.ByteStream(call.body),
        extensions={
            "timeout": endpoint.timeout,
            "deadline": call.deadline,
            "stall": call.stall,
            "retry": call.repeatable,
            "hold": call.hold,
        },
    )


def _failure(
    who: str, call: Call, clock: Clock, error: httpx.TransportError, *, answering: bool
) -> GatewayError:
    if call.hold.fired:
        return _left(who, may_have_run=not isinstance(error, httpx.ConnectError))
    late = clock.monotonic() >= call.deadline
    return errors.failure(who, error, late=late, answering=answering)


def _left(who: str, *, may_have_run: bool) -> CallerLeft:
    message = f"The caller left before {who[:1].lower()}{who[1:]} had answered."
    return CallerLeft(message, may_have_run=may_have_run)

"""One HTTP exchange: a request on a transport, and its whole answer within bounds."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import httpx

from ai_gateway.clock import Clock
from ai_gateway.errors import UpstreamError, UpstreamTimeout
from ai_gateway.upstream import errors
from ai_gateway.upstream.endpoint import Endpoint

#: zlib's window sizes: with a gzip header, with a zlib header or none (``deflate`` means either).
_GZIP, _ZLIB, _RAW = 31, 15, -15
_CODINGS = 2  # more on top of each other are no honest answer

_DECODABLE = frozenset({"gzip", "x-gzip", "deflate"})


@dataclass(frozen=True, slots=True)
class RawReply:
    """An upstream's answer of any status; times in milliseconds since the call began."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    first_byte_ms: float
    latency_ms: float


@dataclass(frozen=True, slots=True)
class Call:
    """One request, and the two ends of its time, of the clock's monotonic time."""

    method: str
    url: httpx.URL
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    started: float
    deadline: float
    #: Whether the upstream may get it twice, should a kept connection turn out to be dead.
    repeatable: bool = True


def exchange(
    endpoint: Endpoint, call: Call, token: str | None, clock: Clock, limit: int
) -> RawReply:
    """The answer to ``call``, of at most ``limit`` bytes and of any status.

    Redirects are not followed. Raises the UpstreamError family.
    """
    if clock.monotonic() >= call.deadline:
        raise UpstreamTimeout(f"{endpoint.who} was not asked: the deadline was past.")
    first: float | None = None
    try:
        response = endpoint.transport.handle_request(_request(endpoint, call, token))
        first = clock.monotonic()
        response.headers.encoding = "latin-1"  # as bytes are told on, whatever they mean
        try:
            body = _read(response, endpoint.who, limit)
        finally:
            response.close()
    except httpx.TransportError as error:
        late = clock.monotonic() >= call.deadline
        raise errors.failure(endpoint.who, error, late=late, answering=first is not None) from error
    return RawReply(
        status=response.status_code,
        headers=response.headers,
        body=body,
        first_byte_ms=(first - call.started) * 1000,
        latency_ms=(clock.monotonic() - call.started) * 1000,
    )


def _request(endpoint: Endpoint, call: Call, token: str | None) -> httpx.Request:
    headers = list(call.headers)
    if token is not None:
        headers.append((b"authorization", b"Bearer " + token.encode("ascii")))
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
            "retry": call.repeatable,
        },
    )


def _read(response: httpx.Response, who: str, limit: int) -> bytes:
    chunks, size = [], 0
    for chunk in cast("Iterable[bytes]", response.stream):
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise _too_large(who, limit)
    return b"".join(chunks)


def decoded(reply: RawReply, who: str, limit: int) -> bytes:
    """The body without gzip or deflate, bounded while it grows; raises UpstreamError.

    Any other coding is an UpstreamError too: none was asked for.
    """
    body = reply.body
    applied = _codings(reply.headers) if body else ()
    for coding in reversed(applied):
        if coding not in _DECODABLE or len(applied) > _CODINGS:
            raise UpstreamError(f"{who} answered in a coding that was not asked for.")
        try:
            body = _inflate(body, coding, limit)
        except zlib.error:
            raise UpstreamError(f"{who} sent a broken {coding} body.") from None
        if len(body) > limit:
            raise _too_large(who, limit)
    return body


def _codings(headers: Mapping[str, str]) -> list[str]:
    """The content codings that a body was put through, in their order."""
    named = headers.get("content-encoding", "").lower().split(",")
    return [coding for part in named if (coding := part.strip()) not in ("", "identity")]


def _inflate(body: bytes, coding: str, limit: int) -> bytes:
    if coding != "deflate":
        return _unpacked(body, _GZIP, limit)
    try:
        return _unpacked(body, _ZLIB, limit)
    except zlib.error:
        return _unpacked(body, _RAW, limit)


def _unpacked(body: bytes, window: int, limit: int) -> bytes:
    unpacker = zlib.decompressobj(window)
    found = unpacker.decompress(body, limit + 1)
    if body and not unpacker.eof and len(found) <= limit:
        raise zlib.error("the end is missing")
    return found


def _too_large(who: str, limit: int) -> UpstreamError:
    return UpstreamError(f"{who} answered with more than {limit} bytes.")

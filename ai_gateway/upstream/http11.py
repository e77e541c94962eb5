"""One HTTP/1.1 connection (RFC 9112) whose answers llhttp takes apart.

It stands where httpcore's own connection stood, with the same methods and errors, at a third of
its cost: httpcore's parser is written in Python.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Iterator
from typing import Final, cast

import httpcore
import httptools

from ai_gateway.clock import Clock

#: Bytes of an answer's head with all that is said before it, and of framing without a body's byte.
_MOST_HEAD = 100_000
_READ = 65_536
_CONTINUE = range(100, 200)
_SWITCHING = 101
_TOKENS: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET: Final = re.compile(rb"[\x21-\x7e]+")
#: What ends a line, or may end one for somebody.
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class Connection:
    """A connection to one origin, which connects with its first request."""

    def __init__(
        self,
        url: httpcore.URL,
        context: ssl.SSLContext,
        idle: float,
        clock: Clock,
        network: httpcore.NetworkBackend,
    ) -> None:
        self._host = url.host.decode("ascii")
        self._port = url.origin.port
        self._context = context if url.origin.scheme == b"https" else None
        self._idle = idle
        self._monotonic = clock.monotonic
        self._network = network
        self._stream: httpcore.NetworkStream | None = None
        self._expires: float | None = None
        self._answer: Answer | None = None

    def handle_request(self, request: httpcore.Request) -> Answer:
        """The answer, as soon as its head is here; to be closed. Raises httpcore's errors."""
        timeout = request.extensions.get("timeout", {})
        stream = self._stream or self._connect(timeout.get("connect"))
        self._expires = None
        try:
            stream.write(_head(request))
            for part in cast("Iterable[bytes]", request.stream):
                stream.write(part)
        except httpcore.WriteError:
            pass  # it may have answered before it had read everything
        answer = self._answer = Answer(self, stream, timeout.get("read"), request.method)
        answer.begin()
        return answer

    def done(self, *, reusable: bool) -> None:
        """The exchange is over."""
        self._answer = None
        if reusable:
            self._expires = self._monotonic() + self._idle
        else:
            self.close()

    def is_idle(self) -> bool:
        """Whether another exchange may begin."""
        return self._expires is not None

    def has_expired(self) -> bool:
        """Whether it has lain idle too long, or the other side has ended it."""
        if self._expires is None or self._stream is None:
            return False
        return self._monotonic() > self._expires or bool(self._stream.get_extra_info("is_readable"))

    def close(self) -> None:
        """Close it, whatever state it is in."""
        self._expires = None
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _connect(self, seconds: float | None) -> httpcore.NetworkStream:
        stream = self._network.connect_tcp(self._host, self._port, seconds)
        if self._context is not None:
            stream = stream.start_tls(self._context, self._host, seconds)
        self._stream = stream
        return stream


class Answer:
    """One answer, as llhttp calls back; iterated over, its body as it comes."""

    __slots__ = (
        "_bodiless",
        "_chunks",
        "_closed",
        "_connection",
        "_done",
        "_fault",
        "_headed",
        "_kept",
        "_more",
        "_parser",
        "_size",
        "_stream",
        "_timeout",
        "headers",
        "status",
    )

    def __init__(
        self,
        connection: Connection,
        stream: httpcore.NetworkStream,
        timeout: float | None,
        method: bytes,
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._timeout = timeout
        self._bodiless = method == b"HEAD"
        self._parser = httptools.HttpResponseParser(self)
        self._chunks: list[bytes] = []
        self._size = 0
        #: The head is whole; all of it is here.
        self._headed = self._done = False
        #: The other side keeps the connection; it said more than this answer.
        self._kept = self._more = False
        self._closed = False
        #: What is wrong behind the part that was read.
        self._fault: httpcore.RemoteProtocolError | None = None
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []

    @property
    def stream(self) -> Answer:
        """The body."""
        return self

    def begin(self) -> None:
        """Read until the head is whole."""
        while not self._headed:
            self._read()
        if self.status == _SWITCHING:
            raise httpcore.RemoteProtocolError("The server changed the protocol.")

    def __iter__(self) -> Iterator[bytes]:
        try:
            while True:
                chunks, self._chunks = self._chunks, []
                yield from chunks
                if self._done:
                    return
                self._read()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the exchange; the connection can serve again if all of the answer was read."""
        if not self._closed:
            self._closed = True
            del self._parser  # which knows this object: a circle that only a collection would end
            self._connection.done(reusable=self._done and self._kept and not self._more)

    def _read(self) -> None:
        if self._fault:
            raise self._fault
        data = self._stream.read(_READ, self._timeout)
        if not data:
            self._ended()
            return
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._more = True
            self._fault = httpcore.RemoteProtocolError(str(error))
            if not self._headed:
                raise self._fault from None
        if self._chunks:
            self._size = 0
        elif self._size > _MOST_HEAD and not self._done:
            raise httpcore.RemoteProtocolError("An answer's head or framing is too long.")

    def _ended(self) -> None:
        self._more = True
        if not self._headed:
            raise httpcore.RemoteProtocolError("Server disconnected without sending a response.")
        if _bounded(self.headers):
            raise httpcore.RemoteProtocolError("The connection ended before the answer did.")
        self._done = True

    # llhttp's calls

    def on_message_begin(self) -> None:
        """An answer's first byte."""
        self._more = self._done

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; a trailer is none."""
        if not self._headed:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head, of this answer or of one that only announces it."""
        if self._done:
            return
        self.status = self._parser.get_status_code()
        self._headed = self.status == _SWITCHING or self.status not in _CONTINUE
        if self._bodiless and self._headed:  # of which llhttp knows nothing
            self._done, self._kept = True, self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if self._done:
            self._more = True
        else:
            self._chunks.append(body)

    def on_message_complete(self) -> None:
        """All of an answer is here."""
        if not self._headed:
            self.headers = []
        elif not self._done:
            self._done, self._kept = True, self._parser.should_keep_alive()


def _bounded(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether an answer's body ends before its connection does."""
    return any(
        name == b"content-length" or (name == b"transfer-encoding" and b"chunked" in value)
        for name, value in ((name.lower(), value.lower()) for name, value in headers)
    )


def _head(request: httpcore.Request) -> bytes:
    """What is sent first; raises LocalProtocolError for what would not be read as it was meant."""
    target, headers = request.url.target, request.headers
    names = [name for name, _ in headers]
    if (
        not all(names)
        or not _TOKENS.fullmatch(b"".join([request.method, *names]))
        or not _TARGET.fullmatch(target)
        or _CONTROL.search(b"".join([value for _, value in headers]))
    ):
        raise httpcore.LocalProtocolError("A request's target or header holds what none may.")
    lines = [b"%b: %b\r\n" % header for header in headers]
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (request.method, target, b"".join(lines))

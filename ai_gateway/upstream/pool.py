"""A pool made for many threads: a LIFO stack of single connections to one origin.

httpcore's own pool looks at every connection for every request, under one lock, and falls over at
some hundred requests in flight. Here a thread takes the connection that was used last, or makes
one, and looks at no other. The newest connection is also the likeliest to be alive, and the oldest
are left alone until they expire.
"""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol, cast

import httpcore
import httpx

from ai_gateway.upstream.cancel import LOOK, NOBODY, Hold
from ai_gateway.upstream.wire import Network, Wire


class Head(Protocol):
    """As much of httpcore's response as a pool needs."""

    @property
    def status(self) -> int:
        """The answer's status."""

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Its headers as they came."""

    @property
    def stream(self) -> Any:
        """Its body, which must be closed."""


class Connection(Protocol):
    """As much of httpcore's interface of a connection as a pool needs."""

    def handle_request(self, request: httpcore.Request) -> Head:
        """The answer's head, whose body must be closed."""

    def is_idle(self) -> bool:
        """Whether another exchange may begin."""

    def has_expired(self) -> bool:
        """Whether it has lain idle too long, or the other side has ended it."""

    def close(self) -> None:
        """Close it, whatever state it is in."""


#: Makes a connection, which connects with its first request, on the network that it is given.
Dial = Callable[[httpcore.NetworkBackend], Connection]

#: What a connection that died while it lay idle raises: no answer, not a wrong one.
_DIED = (httpcore.ReadError, httpcore.WriteError, httpcore.RemoteProtocolError)


class Line:
    """One connection, with its sockets."""

    __slots__ = ("_connection", "wire")

    def __init__(self, dial: Dial, network: Network) -> None:
        self.wire = Wire(network)
        self._connection = dial(self.wire)

    def send(self, request: httpcore.Request) -> Head:
        """The response's head; the connection is closed if there is none."""
        given = request.extensions
        try:
            self.wire.begin(given["deadline"], given.get("hold", NOBODY), given.get("stall"))
            return self._connection.handle_request(request)
        except BaseException:
            self.close()
            raise

    def reusable(self) -> bool:
        """Whether it is idle, has not lain too long, and was not closed by the other side."""
        return self._connection.is_idle() and not self._connection.has_expired()

    def finished(self) -> bool:
        """Whether its last exchange went to the end; no other can interrupt it from now on."""
        self.wire.end()
        return self._connection.is_idle() and not self.wire.cut

    def close(self) -> None:
        """Close the connection and its socket."""
        self._connection.close()
        self.wire.close()


class Pool:
    """At most ``limit`` connections to one origin in use at a time; idle ones on a stack."""

    def __init__(self, dial: Dial, network: Network, limit: int) -> None:
        self._dial = dial
        self._network = network
        #: As many things as more exchanges may begin. A semaphore of Python's costs ten times more.
        self._free: SimpleQueue[None] = SimpleQueue()
        for _ in range(limit):
            self._free.put(None)
        self._idle: deque[Line] = deque()
        self._closed = False

    def handle_request(self, request: httpcore.Request) -> Response:
        """The response, which must be closed; raises httpcore's errors.

        ``request.extensions``: ``timeout`` (``connect`` and ``read``, the latter until the first
        byte), ``stall`` (the same for each later read), ``deadline`` (of the clock's monotonic
        time), ``hold`` (whose caller may leave), and ``retry`` where a request may be sent again
        when a kept connection turns out to be dead.
        """
        self._take_turn(request.extensions["deadline"], request.extensions.get("hold", NOBODY))
        try:
            line, head = self._exchange(request)
        except BaseException:
            self._free.put(None)
            raise
        return Response(self, line, head)

    def give_back(self, line: Line) -> None:
        """End the use of ``line``: it is kept if it can serve again."""
        if line.finished():
            self._idle.append(line)
        else:
            line.close()
        if self._closed:
            self.close()
        self._free.put(None)

    def sweep(self) -> None:
        """Close the connections that have lain idle too long: the oldest lie at the bottom."""
        for line in self._bottom():
            if line.reusable():
                self._idle.appendleft(line)
                return
            line.close()

    def close(self) -> None:
        """Close every idle connection; those in use close when they come back."""
        self._closed = True
        for line in self._bottom():
            line.close()

    def __len__(self) -> int:
        """How many connections lie idle."""
        return len(self._idle)

    def _bottom(self) -> Iterator[Line]:
        with suppress(IndexError):  # another thread may take the last one at any time
            while True:
                yield self._idle.popleft()

    def _reuse(self) -> Line | None:
        try:
            while True:
                line = self._idle.pop()
                if line.reusable():
                    return line
                line.close()
        except IndexError:
            return None

    def _take_turn(self, deadline: float, hold: Hold) -> None:
        left = 0.0  # the first look waits for nobody
        while True:
            try:
                self._free.get(timeout=min(left, LOOK))
            except Empty:
                hold.check()
            else:
                return
            left = deadline - self._network.clock.monotonic()
            if left <= 0:
                raise httpcore.PoolTimeout("connections")

    def _exchange(self, request: httpcore.Request) -> tuple[Line, Head]:
        line = self._reuse()
        if line is not None:
            try:
                return line, line.send(request)
            except _DIED:
                # The server closed it while the request was on its way (RFC 9112, 9.3.1).
                wire = line.wire
                if wire.heard or wire.cut or not request.extensions.get("retry"):
                    raise
        line = Line(self._dial, self._network)
        return line, line.send(request)


class Response:
    """An answer and its body, which gives its connection back when it is closed.

    httpx asks no more of it; httpcore's own would look at each header once more.
    """

    __slots__ = ("_line", "_pool", "_stream", "headers", "status")

    extensions: Final[Mapping[str, object]] = {}

    def __init__(self, pool: Pool, line: Line, head: Head) -> None:
        self._pool: Pool | None = pool
        self._line = line
        self._stream = head.stream
        self.status = head.status
        self.headers = head.headers

    @property
    def stream(self) -> Response:
        """The body."""
        return self

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._stream)

    def close(self) -> None:
        """End the exchange."""
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                self._stream.close()
            finally:
                pool.give_back(self._line)


class Transport(httpx.HTTPTransport):
    """httpx's own transport around our pool.

    ``handle_request`` stays httpx's: recorders patch it on the class, and so see every exchange.
    """

    def __init__(self, pool: Pool, context: ssl.SSLContext) -> None:
        super().__init__(verify=context, trust_env=False)
        self.pool = pool
        # httpx asks nothing of its pool but ``handle_request`` and ``close``.
        self._pool = cast("httpcore.ConnectionPool", pool)

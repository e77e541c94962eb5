"""The sockets of one connection, and the limits that hold at each read and write on them."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpcore
from httpcore._backends.sync import SyncStream  # its backend keeps the socket to itself until late

from ai_gateway.clock import Clock
from ai_gateway.upstream import address
from ai_gateway.upstream.cancel import NOBODY, Hold, Interrupted

_SLICE = 65536  # a write is cut into slices, so that a peer that reads slowly meets the deadline


@dataclass(frozen=True, slots=True)
class Network:
    """How connections are made: the clock, the resolver, and the hosts that are allowed."""

    clock: Clock
    resolve: address.Resolve = address.system
    allowed: Sequence[str] | None = None
    #: Whether addresses of the public internet are allowed beside them.
    internet: bool = False


class Wire(httpcore.NetworkBackend):
    """Connects one connection, and remembers the limits of the exchange that is now on it."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._monotonic = network.clock.monotonic
        self._stream: httpcore.NetworkStream | None = None
        self._connect_by = 0.0
        self._deadline = 0.0
        self._stall: float | None = None
        self._hold = NOBODY
        #: Held while the socket is closed or shut down: its number may be another's afterwards.
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        #: Whether a byte of the answer has come.
        self.heard = False
        #: Whether an exchange was interrupted, after which the connection is of no more use.
        self.cut = False

    def begin(self, deadline: float, hold: Hold = NOBODY, stall: float | None = None) -> None:
        """A new exchange starts, which ends by ``deadline`` (of the clock's monotonic time).

        After its first byte no read may take longer than ``stall`` seconds. Raises Unsent if the
        caller has left.
        """
        self._deadline = deadline
        self._stall = stall
        self.heard = False
        self._hold = hold
        hold.take(self)

    def end(self) -> None:
        """The exchange is over: what ``interrupt`` it brings from now on comes too late."""
        with self._lock:
            hold, self._hold = self._hold, NOBODY
        hold.drop()

    def interrupt(self, hold: Hold) -> None:
        """Wake whoever reads, writes or connects, if ``hold`` is of the present exchange."""
        with self._lock:
            if self._hold is hold and self._socket is not None:
                self.cut = True
                with suppress(OSError):
                    # TLS's own shutdown would let the reader take what is encrypted for plain.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def hurry(self, seconds: float) -> None:
        """Let the exchange end within ``seconds``."""
        self._deadline = min(self._deadline, self._monotonic() + seconds)

    def allowance(self, first_byte: float | None) -> float:
        """Seconds that a read may take; not above 0 when the deadline is past."""
        left = self.left()
        own = self._stall if self.heard else first_byte
        return left if own is None else min(left, own)

    def left(self) -> float:
        """Seconds until the deadline; not above 0 when it is past."""
        return self._deadline - self._monotonic()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - httpcore's signature; never asked for
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002 - the same
    ) -> httpcore.NetworkStream:
        """A stream to the first checked address of ``host`` that takes the connection."""
        left = self.left()
        self._connect_by = self._monotonic() + (left if timeout is None else min(timeout, left))
        seconds = self._connecting()
        found = address.resolved(self._network.resolve, host, port, seconds, self._hold)
        allowed, internet = self._network.allowed, self._network.internet
        *others, last = address.permitted(host, found, allowed, internet=internet)
        for tried, ip in enumerate(others):
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return self._connected(ip, port, self._connecting() / (len(others) + 1 - tried))
        return self._connected(last, port, self._connecting())

    def start_tls(
        self,
        inner: httpcore.NetworkStream,
        context: ssl.SSLContext,
        name: str | None,
        timeout: float | None,
    ) -> httpcore.NetworkStream:
        """TLS on top of ``inner``, within what is left of the time to connect."""
        # What a forward proxy said while the tunnel was dug is not the upstream's first byte.
        self.heard = False
        seconds = self._connecting()
        seconds = seconds if timeout is None else min(seconds, timeout)
        under = inner.get_extra_info("socket")
        try:
            if isinstance(under, ssl.SSLSocket):  # to a forward proxy; httpcore puts TLS into TLS
                return self._attach(inner.start_tls(context, name, seconds))
            return self._attach(self._secured(under, context, name, seconds))
        except httpcore.ConnectError:
            self._hold.check()
            raise

    def close(self) -> None:
        """Close the socket, whatever state the connection above it is in."""
        if self._stream is not None:
            self._stream.close()
        self.end()

    def release(self, inner: httpcore.NetworkStream) -> None:
        """Close ``inner``, which nobody shuts down meanwhile."""
        with self._lock:
            self._socket = None
            inner.close()

    def _connected(self, ip: str, port: int, seconds: float) -> httpcore.NetworkStream:
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        plain = socket.socket(family, socket.SOCK_STREAM)
        inner = SyncStream(plain)
        try:
            self._use(plain)
            plain.settimeout(seconds)
            with _mapped():
                plain.connect((ip, port))
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except (httpcore.NetworkError, httpcore.TimeoutException):
            self.release(inner)
            self._hold.check()
            raise
        return self._attach(inner)

    def _secured(
        self, plain: socket.socket, context: ssl.SSLContext, name: str | None, seconds: float
    ) -> httpcore.NetworkStream:
        self._use(None)  # the number moves from one object to the other
        with _mapped():
            outer = context.wrap_socket(plain, server_hostname=name, do_handshake_on_connect=False)
        inner = SyncStream(outer)
        try:
            self._use(outer)
            outer.settimeout(seconds)
            with _mapped():
                outer.do_handshake()
        except (httpcore.NetworkError, httpcore.TimeoutException):
            self.release(inner)
            raise
        return inner

    def _use(self, used: socket.socket | None) -> None:
        """What an interruption shuts down from now on; raises Unsent if one has come."""
        with self._lock:
            self._socket = used
        self._hold.check()

    def _attach(self, inner: httpcore.NetworkStream) -> httpcore.NetworkStream:
        self._stream = Stream(self, inner)
        self._use(inner.get_extra_info("socket"))
        return self._stream

    def _connecting(self) -> float:
        self._hold.check()
        seconds = self._connect_by - self._monotonic()
        if seconds <= 0:
            raise httpcore.ConnectTimeout("connect")
        return seconds


@contextmanager
def _mapped() -> Iterator[None]:
    """A failure to connect as httpcore's."""
    try:
        yield
    except TimeoutError as error:
        raise httpcore.ConnectTimeout("connect") from error
    except OSError as error:
        raise httpcore.ConnectError("connect") from error


class Stream(httpcore.NetworkStream):
    """A socket whose reads and writes end with the exchange's deadline."""

    def __init__(self, wire: Wire, inner: httpcore.NetworkStream) -> None:
        self._wire = wire
        self._inner = inner
        self._unsent = b""
        #: What is below, where it is a socket: asked directly, a read costs a third less.
        self._socket = inner.get_extra_info("socket") if type(inner) is SyncStream else None
        self._timeout: float | None = None

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """At most ``max_bytes``; ``timeout`` counts for the first byte, the deadline for all."""
        if self._unsent:
            self._flush()
        wire = self._wire
        seconds = wire.allowance(timeout)
        if seconds <= 0:
            raise httpcore.ReadTimeout("deadline")
        data = self._received(max_bytes, seconds)
        if data:
            wire.heard = True
        elif wire.cut:  # which would look like the end of an answer without a length
            raise Interrupted("the caller left")
        return data

    def _received(self, most: int, seconds: float) -> bytes:
        if self._socket is None:
            return self._inner.read(most, seconds)
        try:
            if seconds != self._timeout:  # a call into the system, as most reads need none
                self._timeout = seconds
                self._socket.settimeout(seconds)
            data: bytes = self._socket.recv(most)
        except TimeoutError as error:
            raise httpcore.ReadTimeout("read") from error
        except OSError as error:
            raise httpcore.ReadError("read") from error
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send ``buffer``; a small one waits for the next write or read, to leave in one packet."""
        self._unsent = self._unsent + buffer if self._unsent else buffer
        if len(self._unsent) > _SLICE:
            self._send(timeout)

    def _flush(self) -> None:
        try:
            self._send()
        except httpcore.WriteError:
            # A server may refuse and close before it has read everything; its answer counts.
            return

    def _send(self, timeout: float | None = None) -> None:
        data, self._unsent = self._unsent, b""
        self._timeout = None
        for start in range(0, len(data), _SLICE):
            left = self._wire.left() if timeout is None else min(self._wire.left(), timeout)
            if left <= 0:
                raise httpcore.WriteTimeout("deadline")
            self._inner.write(data[start : start + _SLICE], left)

    def close(self) -> None:
        """Close the socket."""
        self._wire.release(self._inner)

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """This stream with TLS on top."""
        return self._wire.start_tls(self._inner, ssl_context, server_hostname, timeout)

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks of a socket: whether it is readable, its TLS object."""
        return self._inner.get_extra_info(info)

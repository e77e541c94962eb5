"""The sockets of one connection, and the limits that hold at each read and write on them."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpcore

from ai_gateway.clock import Clock
from ai_gateway.upstream import address

_SLICE = 65536  # a write is cut into slices, so that a peer that reads slowly meets the deadline
_BACKEND = httpcore.SyncBackend()


@dataclass(frozen=True, slots=True)
class Network:
    """How connections are made: the clock, the resolver, and the hosts that are allowed."""

    clock: Clock
    resolve: address.Resolve = address.system
    allowed: Sequence[str] | None = None


class Wire(httpcore.NetworkBackend):
    """Connects one connection, and remembers the limits of the exchange that is now on it."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._monotonic = network.clock.monotonic
        self._stream: httpcore.NetworkStream | None = None
        self._connect_by = 0.0
        self._deadline = 0.0
        #: Whether a byte of the answer has come.
        self.heard = False

    def begin(self, deadline: float) -> None:
        """A new exchange starts, which ends by ``deadline`` (of the clock's monotonic time)."""
        self._deadline = deadline
        self.heard = False

    def left(self) -> float:
        """Seconds until the deadline; not above 0 when it is past."""
        return self._deadline - self._monotonic()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """A stream to the first checked address of ``host`` that takes the connection."""
        left = self.left()
        self._connect_by = self._monotonic() + (left if timeout is None else min(timeout, left))
        found = address.resolved(self._network.resolve, host, port, self._connecting())
        *others, last = address.permitted(host, found, self._network.allowed)

        def connect(ip: str, seconds: float) -> httpcore.NetworkStream:
            return self._attach(
                _BACKEND.connect_tcp(ip, port, seconds, local_address, socket_options)
            )

        for tried, ip in enumerate(others):
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return connect(ip, self._connecting() / (len(others) + 1 - tried))
        return connect(last, self._connecting())

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
        return self._attach(
            inner.start_tls(context, name, seconds if timeout is None else min(seconds, timeout))
        )

    def close(self) -> None:
        """Close the socket, whatever state the connection above it is in."""
        if self._stream is not None:
            self._stream.close()

    def _attach(self, inner: httpcore.NetworkStream) -> httpcore.NetworkStream:
        self._stream = Stream(self, inner)
        return self._stream

    def _connecting(self) -> float:
        seconds = self._connect_by - self._monotonic()
        if seconds <= 0:
            raise httpcore.ConnectTimeout("connect")
        return seconds


class Stream(httpcore.NetworkStream):
    """A socket whose reads and writes end with the exchange's deadline."""

    def __init__(self, wire: Wire, inner: httpcore.NetworkStream) -> None:
        self._wire = wire
        self._inner = inner
        self._unsent = b""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """At most ``max_bytes``; ``timeout`` counts for the first byte, the deadline for all."""
        if self._unsent:
            self._flush()
        left = self._wire.left()
        if not self._wire.heard and timeout is not None:
            left = min(left, timeout)
        if left <= 0:
            raise httpcore.ReadTimeout("deadline")
        data = self._inner.read(max_bytes, left)
        if data:
            self._wire.heard = True
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
        for start in range(0, len(data), _SLICE):
            left = self._wire.left() if timeout is None else min(self._wire.left(), timeout)
            if left <= 0:
                raise httpcore.WriteTimeout("deadline")
            self._inner.write(data[start : start + _SLICE], left)

    def close(self) -> None:
        """Close the socket."""
        self._inner.close()

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

"""The connection: uvicorn's HTTP/1.1 protocol on llhttp, with the bounds that it leaves open.

Added here: a deadline and a size for a request's head, no trailers passing for headers, a bound
on pipelined requests, refusals in the gateway's own shape, and a flag for a caller who leaves.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import uuid
from collections import deque
from typing import Any, cast

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ai_gateway.errors import BadRequest, GatewayError, internal_error
from ai_gateway.hosting.arrival import Arrival, arrival_of
from ai_gateway.hosting.bridge import Bridge
from ai_gateway.hosting.options import ServerOptions
from ai_gateway.hosting.refusals import HeadersTooLarge, Refusal

logger = logging.getLogger(__name__)

#: A fault of the server's own, which ends one connection and no more.
_FAULT = "A request could not be served."
#: Headers by which another protocol is asked for.
_UPGRADE = {b"connection", b"upgrade", b"http2-settings"}
#: Requests that one connection may send ahead of their answers.
_PIPELINED = 32


class Config(uvicorn.Config):
    """uvicorn's settings with the gateway's; the protocol is handed nothing else."""

    def __init__(
        self, bridge: Bridge, options: ServerOptions, context: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(
            bridge.serve,  # uvicorn wants an application, and never calls it
            http=Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=options.backlog,
            ssl_context_factory=(lambda *_: context) if context else None,
            timeout_keep_alive=options.keep_alive_seconds,
            timeout_graceful_shutdown=options.grace_seconds,  # type: ignore[arg-type] # it takes fractions
        )
        self.bridge = bridge
        self.options = options


class Protocol(HttpToolsProtocol):
    """One connection."""

    config: Config

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._options = self.config.options
        self._arrival = Arrival()
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._in_head = True
        #: Bytes since the parser last finished a head, a piece of a body or a message.
        self._pending = 0
        self._error: GatewayError | None = None
        #: Requests not yet answered, the one that is being answered first.
        self._cycles: deque[RequestResponseCycle] = deque()
        #: The one whose turn it is, until it is served.
        self._next: RequestResponseCycle | None = None
        #: Whatever still comes is thrown away; the connection ends with the answer under way.
        self._deaf = False

    # The transport's calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn's own type
        """Start the clock for the first request's head."""
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever answers that nobody listens any more."""
        self._disarm()
        self._disarm_stall()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)
        for cycle in self._cycles:
            cycle.disconnected = True
            cycle.on_response = _nothing  # it refers to this, and this to the cycle
            arrival_of(cycle).leave()

    def data_received(self, data: bytes) -> None:
        """Parse, within the bound of what may come without an end of anything."""
        if self._deaf:
            return
        self._pending += len(data)
        self._unset_keepalive_if_required()
        self._feed(data)
        self._serve()
        if self._pending > self._options.max_header_bytes and not self.transport.is_closing():
            self._error = HeadersTooLarge(
                "The request's head, or a part of its framing, is too large."
            )
            self.send_400_response("")
        elif self._in_head and self._pending and self._head_timer is None:
            self._arm()

    def pause_writing(self) -> None:
        """The caller reads too slowly: whoever writes waits, as long as it reads at all."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """There is room again."""
        self._disarm_stall()
        super().resume_writing()

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as stopped:
            self._without_upgrade(data[stopped.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("The request is no HTTP/1.1.")

    def _asks_upgrade(self) -> bool:
        return self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"

    def _without_upgrade(self, rest: bytes) -> None:
        """Read a request again as if it asked for no upgrade; its connection ends with it.

        No upgrade need be taken (RFC 9110, 7.8), and clients that offer HTTP/2 with each request
        send bodies, too, which the parser would not read.
        """
        if not self._asks_upgrade():  # CONNECT, which is refused as a method
            self.cycle.keep_alive = False
            return
        again = _plain(self.parser, self.url, self.headers)
        self.parser = httptools.HttpRequestParser(self)
        self._feed(again + rest)

    def _start_asgi_task(self, cycle: RequestResponseCycle, _app: object) -> None:
        """It is the turn of ``cycle``; the rest of it may come with the same bytes."""
        self._next = cycle

    def _serve(self) -> None:
        """Hand over the request whose turn it is, unless it is refused by now."""
        cycle, self._next = self._next, None
        if cycle is None or arrival_of(cycle).refused:
            return
        try:
            remains = self.config.bridge.serve(cycle)
        except Exception:
            logger.exception(_FAULT)
            self.give_up()
            return
        if remains:
            task = self.loop.create_task(remains)
            task.add_done_callback(self._over)
            self.tasks.add(task)

    def _over(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error(_FAULT, exc_info=error)
            self.give_up()

    def give_up(self) -> None:
        """End the connection, with a 500 for a caller who has nothing of an answer."""
        current = self._cycles[0] if self._cycles else None
        if current and not current.response_started and not self.transport.is_closing():
            request_id = uuid.uuid4().hex
            refusal = Refusal(internal_error(request_id), request_id=request_id)
            self.transport.write(refusal.wire(self.config.bridge.safety))
        if current:
            current.disconnected = True  # what its thread still gives goes nowhere
            arrival_of(current).leave()
        self.transport.close()

    # The parser's calls

    def on_message_begin(self) -> None:
        """A request's first byte."""
        if len(self.pipeline) >= _PIPELINED:
            raise self._refusal(BadRequest("Too many requests were sent ahead of their answers."))
        self._in_head = True
        self._head_size = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; a trailer is none."""
        if not self._in_head:
            return
        self._count(len(name) + len(value) + 4)
        if len(self.headers) >= self._options.max_headers:
            raise self._refusal(HeadersTooLarge("The request has too many headers."))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The request can be judged by its head."""
        if self._asks_upgrade():
            return
        self._in_head = False
        self._pending = 0
        self._disarm()
        self._arrival = self.scope["gateway.arrival"] = Arrival()  # type: ignore[typeddict-unknown-key] # ours
        super().on_headers_complete()
        self._cycles.append(self.cycle)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._pending = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of the request is here."""
        if self._asks_upgrade():
            return
        self._pending = 0
        self._in_head = True
        self._arrival.complete = True
        super().on_message_complete()
        self.scope = {}  # type: ignore[typeddict-item]  # the next request's bytes are not of this one

    def on_response_complete(self) -> None:
        """An answer has been sent; the next one may begin."""
        self._cycles.popleft()
        super().on_response_complete()
        self._serve()

    # Refusals

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be parsed; an answer that is under way is finished first."""
        scope = cast("dict[str, Any]", self.scope) or {}
        refusal = self.config.bridge.refusal(self._error or BadRequest(msg), scope)
        self.config.bridge.note(refusal)
        self._deaf = True
        self.pipeline.clear()
        current = self._cycles[0] if self._cycles else None
        if current and arrival_of(current).complete:
            current.keep_alive = False
            return
        self._arrival.refused = True
        if not current or not current.response_started:
            self.transport.write(refusal.wire(self.config.bridge.safety))
        self.transport.close()

    def _count(self, size: int) -> None:
        self._head_size += size
        if self._head_size > self._options.max_header_bytes:
            raise self._refusal(HeadersTooLarge("The request's head is too large."))

    def _refusal(self, error: GatewayError) -> GatewayError:
        self._error = error
        return error

    def _arm(self) -> None:
        self._head_timer = self.loop.call_later(self._options.header_seconds, self._too_late)

    def _disarm(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_late(self) -> None:
        """The head did not arrive in time: there is nothing to answer to."""
        self.transport.close()

    def _watch(self) -> None:
        waiting = self.transport.get_write_buffer_size()
        self._stall_timer = self.loop.call_later(
            self._options.stall_seconds, self._give_up_unless_read, waiting
        )

    def _give_up_unless_read(self, waiting: int) -> None:
        if self.transport.get_write_buffer_size() >= waiting:
            self.transport.abort()
        else:
            self._watch()

    def _disarm_stall(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None


def _plain(
    parser: httptools.HttpRequestParser, url: bytes, headers: list[tuple[bytes, bytes]]
) -> bytes:
    """The head of a request without what asks for an upgrade."""
    version = parser.get_http_version().encode()
    first = b"%b %b HTTP/%b" % (parser.get_method(), url, version)
    lines = [b"%b: %b" % header for header in headers if header[0] not in _UPGRADE]
    return b"\r\n".join([first, *lines, b"connection: close", b"", b""])


def _nothing() -> None:
    """Nobody waits for the end of a reply whose caller has left."""

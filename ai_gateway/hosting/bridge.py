"""The event loop's side: the whole body first, under its deadline; then a thread; then its chunks.

No thread is taken before a request is complete, so that slow callers hold nothing but a socket.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from ai_gateway.errors import BadRequest, BodyTimeout, GatewayError, LengthMismatch, TooLarge
from ai_gateway.hosting import environ
from ai_gateway.hosting.arrival import arrival_of
from ai_gateway.hosting.exchange import Exchange
from ai_gateway.hosting.forwarding import Forwarding
from ai_gateway.hosting.options import ServerOptions
from ai_gateway.hosting.pool import ThreadPool
from ai_gateway.hosting.refusals import Overloaded, Refusal
from ai_gateway.hosting.reply import Reply
from ai_gateway.hosting.safety import Safety

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

logger = logging.getLogger(__name__)

Scope = Mapping[str, Any]

#: Seconds in which a refused caller may go on sending, so that a reset does not eat its answer.
LINGER_SECONDS = 1.0
_LIGHT_THREADS = 4
_HOST = re.compile(rb"[A-Za-z0-9._~%:\[\]-]*")


class _Left(Exception):
    """The caller left before its request was complete."""


class Bridge:
    """Calls a WSGI application in threads, for each request once all of it is here."""

    def __init__(
        self,
        app: WSGIApplication,
        options: ServerOptions,
        on_refused: Callable[[Refusal], object],
    ) -> None:
        self._app = app
        self._options = options
        self.safety = Safety(tls=options.tls is not None)
        self._on_refused = on_refused
        self._pool = ThreadPool("handler", options.threads, options.queued)
        self._light = ThreadPool("light", _LIGHT_THREADS, options.queued)
        #: Refusals are counted and recorded by a thread of their own: a disk may be slow.
        self._clerk = ThreadPool("refusals", 1, 10_000)

    @property
    def busy(self) -> bool:
        """Whether the application is at work, also for callers who have left."""
        return self._pool.busy or self._light.busy

    def serve(self, cycle: RequestResponseCycle) -> Coroutine[None, None, None] | None:
        """Give a request to a thread; what remains to be done where it cannot be given yet."""
        try:
            most = self._most(cycle.scope)
            if most is not None and not arrival_of(cycle).complete:
                return self._late(cycle, most)
            self._hand_over(cycle, _taken(cycle, most))
        except GatewayError as error:
            return self._refuse(error, cycle)
        return None

    def refusal(self, error: GatewayError, scope: Scope) -> Refusal:
        """The refusal of what ``scope``, which may be empty, says was asked."""
        return Refusal.of(error, scope, self._options.shape)

    def note(self, refusal: Refusal) -> None:
        """Tell whoever counts and records; never waits."""
        if not self._clerk.submit(lambda: _call(self._on_refused, refusal)):
            logger.warning("A refusal (%s) was not recorded: too many.", refusal.error.code)

    def _most(self, scope: Scope) -> int | None:
        """The bytes that a body may have; None where there is none. Raises BadRequest, TooLarge."""
        length, chunked = _framing(scope)
        most = self._options.max_body(scope["path"])
        if length > most:
            raise _too_large(most)
        return most if length or chunked else None

    async def _late(self, cycle: RequestResponseCycle, most: int) -> None:
        """Wait for the rest of a request."""
        try:
            self._hand_over(cycle, await self._rest(cycle, most))
        except GatewayError as error:
            await self._refuse(error, cycle)
        except _Left:
            if not arrival_of(cycle).refused:
                self.note(self.refusal(LengthMismatch("The body ended early."), cycle.scope))

    async def _rest(self, cycle: RequestResponseCycle, most: int) -> bytes:
        """The whole body; raises TooLarge, BodyTimeout or _Left."""
        seconds = self._options.body_seconds
        try:
            return await asyncio.wait_for(_received(cycle, most), seconds)
        except asyncio.TimeoutError:
            raise BodyTimeout(f"The body did not arrive within {seconds:g} seconds.") from None

    def _hand_over(self, cycle: RequestResponseCycle, body: bytes) -> None:
        """Give the request to a thread; raises Overloaded."""
        outbox = Forwarding(asyncio.get_running_loop(), cycle).outbox
        told = environ.build(cycle.scope, body, received=time.monotonic())
        exchange = Exchange(self._app, told, outbox, self.safety)
        pool = self._light if cycle.scope["path"] in self._options.light_paths else self._pool
        if not pool.submit(exchange.run):
            outbox.end()
            raise Overloaded

    async def _refuse(self, error: GatewayError, cycle: RequestResponseCycle) -> None:
        refusal = self.refusal(error, cycle.scope)
        self.note(refusal)
        reply, body = Reply(cycle), refusal.body()
        reply.send(body, refusal.head(body, self.safety), last=False)
        if not arrival_of(cycle).complete:
            await _discard(cycle)
        reply.send(b"", last=True)


async def _received(cycle: RequestResponseCycle, most: int) -> bytes:
    chunks, size, more = [], 0, True
    while more:
        message = await cycle.receive()
        if message["type"] != "http.request":
            raise _Left
        chunks.append(message["body"])
        size += len(message["body"])
        more = message["more_body"]
        if size > most:
            raise _too_large(most)
    return b"".join(chunks)


def _taken(cycle: RequestResponseCycle, most: int | None) -> bytes:
    """A body that is here as a whole."""
    body = bytes(cycle.body)
    cycle.body.clear()
    cycle.flow.resume_reading()  # else nobody would notice that the caller leaves
    if most is not None and len(body) > most:
        raise _too_large(most)
    return body


async def _discard(cycle: RequestResponseCycle) -> None:
    async def until_end() -> None:
        while (await cycle.receive()).get("more_body"):
            pass

    try:
        await asyncio.wait_for(until_end(), LINGER_SECONDS)
    except asyncio.TimeoutError:
        return


def _framing(scope: Scope) -> tuple[int, bool]:
    """The body's declared length and whether it is chunked; raises BadRequest on a bad Host.

    The parser has refused lengths that are no numbers, differ, or come with chunks.
    """
    length, chunked, hosts = 0, False, []
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            chunked = True
        elif name == b"host":
            hosts.append(value)
    if len(hosts) > 1 or (not hosts and scope["http_version"] != "1.0"):
        raise BadRequest(f"A request has one Host header; this one has {len(hosts)}.")
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise BadRequest("The Host header is no host name.")
    return length, chunked


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"The body has more than the {most} bytes that are read.")


def _call(on_refused: Callable[[Refusal], object], refusal: Refusal) -> None:
    on_refused(refusal)

"""From the handler's thread to the connection: chunks go out as they come."""

from __future__ import annotations

import asyncio
import logging

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from ai_gateway.hosting.arrival import arrival_of
from ai_gateway.hosting.outbox import Outbox
from ai_gateway.hosting.reply import Reply

logger = logging.getLogger(__name__)


class Forwarding:
    """The event loop's part in one reply; it takes no task, since most come in one piece."""

    __slots__ = ("_begun", "_cycle", "_draining", "_loop", "_reply", "outbox")

    def __init__(self, loop: asyncio.AbstractEventLoop, cycle: RequestResponseCycle) -> None:
        self._loop = loop
        self._cycle = cycle
        self._reply = Reply(cycle)
        self._begun = False
        #: Waits until the caller has read some of what was sent.
        self._draining: asyncio.Task[None] | None = None
        self.outbox = Outbox(loop, arrival_of(cycle), self._pump)

    def _pump(self) -> None:
        """Send all that is there; what breaks off ends the connection, and never looks whole."""
        if self._cycle.flow.write_paused and not self._cycle.disconnected:
            self._wait()
            return
        chunk, last = self.outbox.take()
        broken = last and self.outbox.broken
        try:
            # What comes with a failure may be all that its head declares.
            self._send(b"" if broken else chunk, last=last and not broken)
        except Exception:
            logger.exception("A reply was cut short.")
            self._cycle.disconnected = True  # what still comes is not looked at again
            arrival_of(self._cycle).leave()
            self._cycle.transport.close()
        self.outbox.taken(len(chunk))
        if broken and not self._cycle.disconnected:
            self._cycle.transport.close()

    def _send(self, chunk: bytes, *, last: bool) -> None:
        head = None if self._begun else self.outbox.head
        if head is not None:
            self._begun = True
            self._reply.send(chunk, head, last=last)
            if not last:
                self.outbox.watch()
        elif chunk or last:
            self._reply.send(chunk, last=last)

    def _wait(self) -> None:
        if self._draining is None:
            self._draining = self._loop.create_task(self._drained())

    async def _drained(self) -> None:
        await self._cycle.flow.drain()
        self._draining = None
        self._pump()

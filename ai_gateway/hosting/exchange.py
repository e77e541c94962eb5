"""The WSGI side (PEP 3333): one call of the application in a handler's thread."""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ai_gateway.errors import internal_error
from ai_gateway.hosting.head import Head
from ai_gateway.hosting.outbox import CallerGone, Outbox
from ai_gateway.hosting.refusals import Refusal
from ai_gateway.hosting.safety import Safety

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import WSGIApplication

logger = logging.getLogger(__name__)

_BODILESS = {204, 304}
#: Bytes of a reply without a length that are kept for an HTTP/1.0 caller.
_GATHERED = 64_000_000


class Exchange:
    """One request in, one reply into the outbox."""

    __slots__ = ("_app", "_environ", "_head", "_outbox", "_safety")

    def __init__(
        self, app: WSGIApplication, environ: dict[str, Any], outbox: Outbox, safety: Safety
    ) -> None:
        self._app = app
        self._safety = safety
        self._environ = environ
        self._outbox = outbox
        self._head: Head | None = None

    def run(self) -> None:
        """Call the application and hand on all that it gives; never raises."""
        broken = False
        try:
            self._call()
        except CallerGone:
            broken = True
        except Exception:
            request_id = uuid.uuid4().hex
            logger.exception("request %s: the application failed", request_id)
            broken = self._outbox.head is not None
            if not broken:
                self._apologise(request_id)
        self._outbox.finish(broken=broken)

    def _call(self) -> None:
        if self._environ["gateway.disconnected"].is_set():
            raise CallerGone  # it left while it waited for a thread
        chunks = self._app(self._environ, self._start_response)
        try:
            self._send_all(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()

    def _send_all(self, chunks: Iterable[bytes]) -> None:
        if self._environ["SERVER_PROTOCOL"] == "HTTP/1.0":
            chunks = self._gathered(chunks)
        for chunk in chunks:
            if chunk:
                self._write(chunk)
        self._put_head()

    def _gathered(self, chunks: Iterable[bytes]) -> list[bytes]:
        """The whole body: HTTP/1.0 has no chunks, so that a reply must say its length."""
        whole = bytearray()
        for chunk in chunks:
            whole += chunk
            if len(whole) > _GATHERED:
                raise RuntimeError("the reply is too long for an HTTP/1.0 caller")
        if self._head and self._head.status not in _BODILESS:
            self._head = self._head.sized(len(whole))
        return [bytes(whole)]

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None
    ) -> Callable[[bytes], object]:
        if exc_info and exc_info[1] and self._outbox.head:
            raise exc_info[1]
        if self._head and not exc_info:
            raise RuntimeError("start_response was called twice")
        # A reply to HTTP/1.0 says its length: nothing can be put between its chunks.
        framed = self._environ["SERVER_PROTOCOL"] != "HTTP/1.0"
        heartbeat = self._environ.get("gateway.heartbeat") if framed else None
        self._head = Head.of(int(status[:3]), headers, self._safety, heartbeat)
        return self._write

    def _write(self, chunk: bytes) -> None:
        if not isinstance(chunk, bytes):
            raise TypeError("a piece of a reply is not bytes")
        head = self._put_head()
        if self._environ["REQUEST_METHOD"] != "HEAD" and head.status not in _BODILESS:
            # A reply that is whole with this chunk wakes the event loop once, at its end.
            self._outbox.put(chunk, wake=head.length != len(chunk))

    def _put_head(self) -> Head:
        if self._head is None:
            raise RuntimeError("the application gave no status")
        self._outbox.head = self._head
        return self._head

    def _apologise(self, request_id: str) -> None:
        refusal = Refusal(internal_error(request_id), request_id=request_id)
        body = refusal.body()
        self._outbox.head = refusal.head(body, self._safety)
        with contextlib.suppress(CallerGone):
            self._outbox.put(body, wake=False)

"""The WSGI side (PEP 3333): one call of the application in a handler's thread."""

from __future__ import annotations

import contextlib
import logging
import re
import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ai_gateway.errors import internal_error
from ai_gateway.hosting.outbox import CallerGone, Head, Outbox
from ai_gateway.hosting.refusals import Refusal

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import WSGIApplication

logger = logging.getLogger(__name__)

_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
_BODILESS = {204, 304}
#: Bytes of a reply without a length that are kept for an HTTP/1.0 caller.
_GATHERED = 64_000_000


class Exchange:
    """One request in, one reply into the outbox."""

    __slots__ = ("_app", "_environ", "_head", "_outbox")

    def __init__(self, app: WSGIApplication, environ: dict[str, Any], outbox: Outbox) -> None:
        self._app = app
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
        with contextlib.ExitStack() as stack:
            if hasattr(chunks, "close"):
                stack.callback(chunks.close)
            self._send_all(chunks)

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
        if self._head and not any(name == b"content-length" for name, _ in self._head.headers):
            self._head.headers.append((b"content-length", b"%d" % len(whole)))
        return [bytes(whole)]

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None
    ) -> Callable[[bytes], object]:
        if exc_info and exc_info[1] and self._outbox.head:
            raise exc_info[1]
        if self._head and not exc_info:
            raise RuntimeError("start_response was called twice")
        if _CONTROL.search("".join(value for _, value in headers)):
            raise ValueError("a header's value holds a control character")
        # A reply to HTTP/1.0 says its length: nothing can be put between its chunks.
        framed = self._environ["SERVER_PROTOCOL"] != "HTTP/1.0"
        self._head = Head(
            int(status[:3]),
            [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
            self._environ.get("gateway.heartbeat") if framed else None,
        )
        return self._write

    def _write(self, chunk: bytes) -> None:
        head = self._put_head()
        if self._environ["REQUEST_METHOD"] != "HEAD" and head.status not in _BODILESS:
            # A reply that is whole with this chunk wakes the event loop once, at its end.
            self._outbox.put(chunk, wake=not head.declares(len(chunk)))

    def _put_head(self) -> Head:
        if self._head is None:
            raise RuntimeError("the application gave no status")
        self._outbox.head = self._head
        return self._head

    def _apologise(self, request_id: str) -> None:
        refusal = Refusal(internal_error(request_id), request_id=request_id)
        body = refusal.body()
        self._outbox.head = Head(refusal.error.status, refusal.headers(body))
        with contextlib.suppress(CallerGone):
            self._outbox.put(body, wake=False)

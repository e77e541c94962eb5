"""The reply to one request, on its connection: in as few pieces as it comes.

uvicorn's own ``send`` takes two messages for the shortest reply, and looks at each of its headers
with two regular expressions; these were looked at when the head was made.
"""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from ai_gateway.hosting.head import Head, status_line

_BODILESS = (204, 304)
#: Bytes of a body from which on to copy it costs more than to write it by itself. Over TLS each
#: piece that is written is a record of its own.
_JOINED = 16_384


class Reply:
    """Frames one reply as HTTP/1.1 wants it, and tells uvicorn's ``cycle`` how far it is."""

    __slots__ = ("_cycle", "_left", "_mute")

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        #: Bytes of the body that are still to come; None where it comes in chunks.
        self._left: int | None = None
        #: The reply has no body, whatever its headers say of one.
        self._mute = False

    def send(self, body: bytes, head: Head | None = None, *, last: bool) -> None:
        """Send ``head``, if it is the first time, and a piece of the body, which may be empty.

        A caller who has left gets nothing. Raises RuntimeError for a body that is longer or shorter
        than its head declares.
        """
        cycle = self._cycle
        if cycle.disconnected:
            return
        pieces = self._begin(head) if head else []
        if not self._mute:
            pieces += self._framed(body, last=last)
        if len(body) < _JOINED:
            cycle.transport.write(b"".join(pieces))
        else:
            cycle.transport.writelines(pieces)
        if last:
            self._end()

    def _begin(self, head: Head) -> list[bytes]:
        cycle = self._cycle
        cycle.response_started = True
        cycle.waiting_for_100_continue = False
        cycle.keep_alive = cycle.keep_alive and not head.closing
        self._mute = cycle.scope["method"] == "HEAD" or head.status in _BODILESS
        self._left = head.length
        lines = [status_line(head.status)]
        lines += [b"%b: %b\r\n" % header for header in cycle.default_headers]
        lines.append(head.lines)
        if not cycle.keep_alive and not head.closing:
            lines.append(b"connection: close\r\n")
        if head.length is None and not self._mute:
            lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        return lines

    def _framed(self, body: bytes, *, last: bool) -> list[bytes]:
        if self._left is None:
            chunk = [b"%x\r\n" % len(body), body, b"\r\n"] if body else []
            return [*chunk, b"0\r\n\r\n"] if last else chunk
        self._left -= len(body)
        if self._left < 0 or (last and self._left):
            raise RuntimeError("the body is longer or shorter than its head declares")
        return [body]

    def _end(self) -> None:
        cycle = self._cycle
        cycle.response_complete = True
        cycle.message_event.set()  # whoever waits for more of the request waits no longer
        if not cycle.keep_alive:
            cycle.transport.close()
        done, cycle.on_response = cycle.on_response, _nothing
        done()


def _nothing() -> None:
    """A cycle that is over refers to its connection no more, so that both are freed at once."""

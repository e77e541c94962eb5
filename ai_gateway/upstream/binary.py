"""A streamed answer that is no events: bytes as they come, as a spoken text is."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from ai_gateway.errors import UpstreamError
from ai_gateway.upstream import answer, errors, inflate
from ai_gateway.upstream.exchange import Incoming

_WHOLE = 1_000_000  # bytes of an answer that is an error


class Binary:
    """A model's bytes, in pieces as they come.

    Raises the UpstreamError family where they break off, and CallerLeft. It ends by itself, or with
    ``close``; both let go of the connection. Used by one thread.

    Attributes:
        status: Of the head, as are ``content_type`` and ``request_id`` (the upstream's own).
        first_event_ms: Milliseconds from the call's beginning to the first bytes.
        simulated: Whether the stand-in answered.
    """

    def __init__(self, incoming: Incoming, token: str | None, most: int) -> None:
        self.status = incoming.status
        self.content_type = incoming.headers.get("content-type", "application/octet-stream")
        self.request_id = errors.request_id(incoming.headers)
        self.simulated = incoming.headers.get("x-gateway-simulated") == "true"
        _refuse(incoming, token, self.content_type)
        # Apart from this object, so that one that is forgotten closes its connection at once.
        self._pieces = _pieces(incoming, most)
        self._first: bytes | None = next(self._pieces, None)
        if self._first is None:
            raise UpstreamError(f"{incoming.who} answered with nothing.")
        self.first_event_ms = incoming.elapsed_ms()

    def __iter__(self) -> Iterator[bytes]:
        """The pieces; a second look goes on where the first one stopped."""
        return self

    def __next__(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return next(self._pieces)

    def close(self) -> None:
        """Nothing more is read; the connection is closed if the answer was not over."""
        self._first = None
        self._pieces.close()


def _refuse(incoming: Incoming, token: str | None, kind: str) -> None:
    """Raise what JSON under a status of success says, and refuse a page."""
    if "json" in kind.lower() or "html" in kind.lower():
        raw = incoming.whole(_WHOLE)
        answer.checked(incoming.who, raw, token, json_due=False)
        raise UpstreamError(f"{incoming.who} answered with JSON where binary data was due.")


def _pieces(incoming: Incoming, most: int) -> Generator[bytes, None, None]:
    try:
        chunks = inflate.plain(incoming.chunks(), incoming.headers, incoming.who, most)
        yield from filter(None, chunks)
    finally:
        incoming.close()

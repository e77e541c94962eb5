"""The request that this thread serves, for log lines that know nothing of it.

A request runs in one thread, from its dispatch to the last chunk of its reply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ai_gateway.answer.record import Decision
    from ai_gateway.contract import Event


class Request:
    """One request while it is served, and what was decided of it, once that is recorded."""

    __slots__ = ("decision", "event")

    def __init__(self, event: Event) -> None:
        self.event = event
        self.decision: Decision | None = None


CURRENT: Final[ContextVar[Request | None]] = ContextVar("request", default=None)


def decided(decision: Decision) -> None:
    """Note what was decided, if it is of this thread's own request."""
    request = CURRENT.get()
    if request is not None and request.event.request_id == decision.event.request_id:
        request.decision = decision


class Watched:
    """A streamed reply's chunks; ``over`` is called once, after they were closed."""

    def __init__(self, chunks: Iterable[bytes], over: Callable[[], object]) -> None:
        self._chunks = chunks
        self._over: Callable[[], object] | None = over

    def __iter__(self) -> Iterator[bytes]:
        """The chunks as they are."""
        return iter(self._chunks)

    def close(self) -> None:
        """The reply is over, or its caller left (PEP 3333: called always)."""
        over, self._over = self._over, None
        try:
            close = getattr(self._chunks, "close", None)
            if close is not None:
                close()
        finally:
            if over is not None:
                over()

"""One request on its way: when it came, whether all of it is here, whether its caller has left."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

#: Guards the rare meeting of a caller who leaves and a callback that is being added.
_LOCK = threading.Lock()


class Arrival:
    """What the connection knows of one request; its caller's leaving is seen by any thread.

    ``environ["gateway.disconnected"]`` is one of these. It costs a tenth of a ``threading.Event``.
    """

    __slots__ = ("_callbacks", "_left", "complete", "refused")

    def __init__(self) -> None:
        self._left = False
        self._callbacks: list[Callable[[], object]] | None = None
        #: All of the body is here.
        self.complete = False
        #: The connection has answered by itself.
        self.refused = False

    def is_set(self) -> bool:
        """Whether the caller has left before the reply's end."""
        return self._left

    def add_callback(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` when the caller leaves, or now; it must be quick and must not raise."""
        with _LOCK:
            if not self._left:
                self._callbacks = [*(self._callbacks or ()), callback]
                return
        callback()

    def leave(self) -> None:
        """The caller has left."""
        with _LOCK:
            self._left = True
            callbacks, self._callbacks = self._callbacks, None
        for callback in callbacks or ():
            callback()


def arrival_of(cycle: RequestResponseCycle) -> Arrival:
    """The arrival of uvicorn's request."""
    arrival: Arrival = cast("dict[str, Any]", cycle.scope)["gateway.arrival"]
    return arrival

"""How much a caller may say, and how often: fixed windows in this process's memory."""

from __future__ import annotations

import math
from threading import Lock

from cachetools import LRUCache

from ai_gateway.clock import Clock
from ai_gateway.errors import RateLimited, TooLarge
from ai_gateway.manifest.model import Route
from ai_gateway.manifest.units import Rate

#: Callers remembered at once; each costs about 300 bytes.
_CALLERS = 100_000


def check_size(body: bytes, route: Route) -> None:
    """Raise TooLarge for a body beyond what ``route`` reads."""
    if len(body) > route.max_body:
        raise TooLarge(f"The body has {len(body)} bytes; at most {route.max_body} are read.")


class Limits:
    """Counts of the current window; they live on when the bundle is reloaded."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._counts: LRUCache[tuple[str, str], tuple[int, int]] = LRUCache(_CALLERS)

    def take(self, route: str, caller: str, rate: Rate) -> None:
        """One request of ``caller`` on ``route``; raises RateLimited with when to come again."""
        now = self._clock.now()
        window = int(now // rate.seconds)
        with self._lock:
            counted, count = self._counts.get((route, caller), (window, 0))
            count = count if counted == window else 0
            if count < rate.limit:
                self._counts[(route, caller)] = (window, count + 1)
                return
        wait = max(1, math.ceil((window + 1) * rate.seconds - now))
        raise RateLimited(
            f"{rate.limit} requests in {rate.seconds} s are allowed here; try again in {wait} s.",
            retry_after=wait,
        )

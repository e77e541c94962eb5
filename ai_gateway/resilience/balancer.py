"""Which of a model's endpoints gets the next call.

``least-busy``: the fewest calls in flight, ties by latency; a failure counts as one call more for
some seconds, since what fails fast is never busy. ``latency``: the least of latency times calls in
flight, so that a slow endpoint gets less and an unmeasured one is tried. Latency is a peak EWMA (as
Finagle's): it jumps up at once and sinks slowly, with time as well as with calls.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from threading import Lock

from ai_gateway.clock import Clock
from ai_gateway.resilience.declared import Balance

_DECAY = 10.0  # seconds in which a latency, and a failure's weight, sink to 1/e
_FAILED = 10.0  # seconds of latency that a failure counts as: failing fast is not being fast


class Lease:
    """One call at ``url``; to be ended once."""

    __slots__ = ("_balancer", "_started", "_taken", "url")

    def __init__(self, balancer: Balancer, url: str, started: float) -> None:
        self._balancer: Balancer | None = balancer
        self._started = started
        self._taken: float | None = None
        self.url = url

    def answered(self) -> None:
        """A stream has begun: this is its latency, however long it goes on."""
        if self._balancer is not None:
            self._taken = self._balancer._since(self._started)  # noqa: SLF001 - its other half

    def end(self, *, failed: bool | None = False) -> None:
        """The call is over; ``failed=None`` where it says nothing (the caller left)."""
        balancer, self._balancer = self._balancer, None
        if balancer is not None:
            taken = balancer._since(self._started)  # noqa: SLF001 - its other half
            taken = taken if self._taken is None else self._taken
            balancer._end(self.url, taken, failed=failed)  # noqa: SLF001 - its other half


class _Endpoint:
    __slots__ = ("at", "blame", "flying", "latency")

    def __init__(self) -> None:
        self.flying = 0
        self.latency = 0.0
        self.blame = 0.0
        #: When latency and blame were as they stand here.
        self.at = 0.0

    def learn(self, now: float, taken: float, *, failed: bool) -> None:
        kept = math.exp((self.at - now) / _DECAY) if self.at else 0.0
        taken = max(taken, _FAILED) if failed else taken
        self.latency = max(taken, self.latency * kept + taken * (1 - kept))
        self.blame = self.blame * kept + failed
        self.at = now

    def busyness(self, now: float) -> tuple[float, float]:
        kept = math.exp((self.at - now) / _DECAY)
        return self.flying + self.blame * kept, self.latency * kept

    def slowness(self, now: float) -> tuple[float, float]:
        kept = math.exp((self.at - now) / _DECAY)
        return self.latency * kept * (self.flying + 1), self.flying


class Balancer:
    """What is known of every endpoint, by URL; it lives on across reloads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._endpoints: dict[str, _Endpoint] = {}

    def pick(self, urls: Sequence[str], balance: Balance = "least-busy") -> Lease:
        """A call at the best of ``urls``, of which there is at least one."""
        now = self._clock.monotonic()
        cost = _Endpoint.busyness if balance == "least-busy" else _Endpoint.slowness
        with self._lock:
            known = [(cost(self._endpoint(url), now), url) for url in urls]
            url = min(known, key=_cost)[1]
            self._endpoints[url].flying += 1
        return Lease(self, url, now)

    def keep(self, urls: Collection[str]) -> None:
        """Forget all but ``urls``, once their calls are over: what a reload left out."""
        with self._lock:
            self._endpoints = {
                url: endpoint
                for url, endpoint in self._endpoints.items()
                if url in urls or endpoint.flying
            }

    def flying(self) -> dict[str, int]:
        """Calls in flight by URL, for metrics."""
        with self._lock:
            return {url: endpoint.flying for url, endpoint in self._endpoints.items()}

    def _endpoint(self, url: str) -> _Endpoint:
        found = self._endpoints.get(url)
        if found is None:
            found = self._endpoints[url] = _Endpoint()
        return found

    def _since(self, started: float) -> float:
        return self._clock.monotonic() - started

    def _end(self, url: str, taken: float, *, failed: bool | None) -> None:
        now = self._clock.monotonic()
        with self._lock:
            endpoint = self._endpoints[url]
            endpoint.flying -= 1
            if failed is not None:
                endpoint.learn(now, taken, failed=failed)


def _cost(found: tuple[tuple[float, float], str]) -> tuple[float, float]:
    return found[0]

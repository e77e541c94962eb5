"""Which of a model's endpoints gets the next call.

``least-busy``: the fewest calls in flight, ties by latency; a failure counts as one call more for
some seconds, since what fails fast is never busy. ``latency``: the least of latency times calls in
flight, so that a slow endpoint gets less and an unmeasured one is tried. Latency is a peak EWMA (as
Finagle's): it jumps up at once and sinks slowly, with time as well as with calls. While a call
waits it does not sink, and is at least as long as the endpoint has been silent. An endpoint that
was silent until a caller left comes after the others for some seconds, and then gets a call at a
time until it has answered one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import count
from threading import Lock

from ai_gateway.clock import Clock
from ai_gateway.resilience.declared import Balance

_DECAY = 10.0  # seconds in which a latency, and a failure's weight, sink to 1/e
_FAILED = 10.0  # seconds of latency that a failure counts as: failing fast is not being fast
_UNKNOWN = 10.0  # seconds that a first call counts as, until it is over: one is enough to learn
_SHUNNED = 10.0  # seconds for which the others are preferred, after a caller left unanswered

#: Whether it is shunned, two measures of how long a call would take, and when it was last used.
Cost = tuple[bool, float, float, int]


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
        balancer = self._balancer
        if balancer is not None and self._taken is None:
            self._taken = balancer._answered(self.url, self._started)  # noqa: SLF001 - its other half

    def end(self, *, failed: bool | None = False, left: bool = False) -> None:
        """The call is over; ``failed=None`` where it says nothing of the endpoint.

        ``left``: its caller did not wait any longer.
        """
        balancer, self._balancer = self._balancer, None
        if balancer is None:
            return
        if self._taken is not None:
            balancer._streamed(self.url, self._taken, failed=failed)  # noqa: SLF001 - its other half
        else:
            balancer._end(self.url, self._started, failed=failed, left=left)  # noqa: SLF001 - its other half


class _Endpoint:
    __slots__ = ("at", "blame", "flying", "latency", "left", "since", "used", "waiting")

    def __init__(self) -> None:
        self.flying = 0
        #: Those in flight to which nothing has been said yet, and since when to none of them.
        self.waiting = 0
        self.since = 0.0
        #: When a caller last left it unanswered; None once it has answered somebody again.
        self.left: float | None = None
        self.latency = _UNKNOWN
        self.blame = 0.0
        #: When latency and blame were as they stand here.
        self.at = -math.inf
        #: The number of its last call, of all calls.
        self.used = 0

    def begin(self, now: float, number: int) -> None:
        if not self.waiting:
            self.since = now
        self.flying += 1
        self.waiting += 1
        self.used = number

    def over(self, now: float, taken: float, *, failed: bool) -> None:
        """A call was answered, or failed, after ``taken`` seconds."""
        self.learn(now, max(taken, _FAILED) if failed else taken)
        self.blame += failed
        self.since = now
        if not failed:
            self.left = None

    def leave(self, now: float, started: float) -> None:
        """A caller left unanswered: an answer would have taken him longer than that."""
        waited, usual = now - started, 0.0 if self.at == -math.inf else self.latency
        # Nor has anybody else been answered since he came.
        if self.since <= started and (waited > usual or self.left is not None):
            self.left = now
        if waited > self.latency * self._kept(now):
            self.learn(now, waited)

    def learn(self, now: float, taken: float) -> None:
        kept = self._kept(now)
        self.latency = max(taken, self.latency * kept + taken * (1 - kept))
        self.blame *= kept
        self.at = now

    def busyness(self, now: float) -> Cost:
        busy = self.flying + self.blame * self._kept(now)
        return self._shunned(now), busy, self._expected(now), self.used

    def slowness(self, now: float) -> Cost:
        slow = self._expected(now) * (self.flying + 1)
        return self._shunned(now), slow, self.flying, self.used

    def _expected(self, now: float) -> float:
        if self.waiting:
            return max(self.latency, now - self.since)
        return self.latency * self._kept(now)

    def _shunned(self, now: float) -> bool:
        return self.left is not None and (self.waiting > 0 or now - self.left < _SHUNNED)

    def _kept(self, now: float) -> float:
        return math.exp((self.at - now) / _DECAY)


class Balancer:
    """What is known of every endpoint, by URL; it lives on across reloads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._endpoints: dict[str, _Endpoint] = {}
        self._numbers = count(1)

    def pick(self, urls: Sequence[str], balance: Balance = "least-busy") -> Lease:
        """A call at the best of ``urls``, of which there is at least one."""
        now = self._clock.monotonic()
        cost = _Endpoint.busyness if balance == "least-busy" else _Endpoint.slowness
        with self._lock:
            known = [(cost(self._endpoint(url), now), url) for url in urls]
            url = min(known, key=_cost)[1]
            self._endpoints[url].begin(now, next(self._numbers))
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

    def _answered(self, url: str, started: float) -> float:
        now = self._clock.monotonic()
        with self._lock:
            endpoint = self._endpoints[url]
            endpoint.waiting -= 1
            endpoint.over(now, now - started, failed=False)
        return now - started

    def _streamed(self, url: str, taken: float, *, failed: bool | None) -> None:
        """The end of what was ``_answered``: only that it broke is news."""
        now = self._clock.monotonic()
        with self._lock:
            endpoint = self._endpoints[url]
            endpoint.flying -= 1
            if failed:
                endpoint.over(now, taken, failed=True)

    def _end(self, url: str, started: float, *, failed: bool | None, left: bool) -> None:
        now = self._clock.monotonic()
        with self._lock:
            endpoint = self._endpoints[url]
            endpoint.flying -= 1
            endpoint.waiting -= 1
            if left:
                endpoint.leave(now, started)
            elif failed is not None:
                endpoint.over(now, now - started, failed=failed)


def _cost(found: tuple[Cost, str]) -> Cost:
    return found[0]

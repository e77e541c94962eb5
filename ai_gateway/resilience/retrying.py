"""When the same model is asked again: full-jitter exponential backoff within the deadline.

Full jitter as in Marc Brooker's "Exponential Backoff And Jitter" (AWS, 2015).
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from random import Random

from ai_gateway.clock import Clock
from ai_gateway.errors import UpstreamError
from ai_gateway.resilience.declared import ColdStart, Retries
from ai_gateway.resilience.failures import kinds, matches
from ai_gateway.waits import longest


class Schedule:
    """One call's tries at one model.

    Args:
        retries: As declared.
        cold_start: As declared; tries at a model that is starting are bounded by time, not number.
        deadline: When the caller must be answered, of the clock's monotonic time.
        clock: Whose time that is.
        random: Where jitter comes from.
    """

    def __init__(
        self,
        retries: Retries,
        cold_start: ColdStart,
        deadline: float,
        clock: Clock,
        random: Random,
    ) -> None:
        self._retries = retries
        self._cold_start = cold_start
        self._deadline = deadline
        self._clock = clock
        self._random = random
        self._failed = 0
        self._cold_since: float | None = None

    def after(self, error: UpstreamError) -> float | None:
        """Seconds to wait before the next try; None where ``error`` stands.

        Told of every failed try, once. It never asks to sleep to the deadline or past it.
        """
        starting = "cold-start" in kinds(error)
        wait = self._cold() if starting else self._backoff(error)
        if wait is None:
            return None
        named = retry_after(error.headers, self._clock.now())
        wait = wait if named is None else max(wait, named)
        return wait if self._clock.monotonic() + wait < self._deadline else None

    def _cold(self) -> float | None:
        if not self._cold_start.wait or "cold-start" not in self._retries.on:
            return None
        now = self._clock.monotonic()
        since = self._cold_since = now if self._cold_since is None else self._cold_since
        every = self._cold_start.every * self._random.uniform(0.5, 1.0)
        return every if now + every - since <= self._cold_start.at_most else None

    def _backoff(self, error: UpstreamError) -> float | None:
        retries = self._retries
        self._failed += 1
        if self._failed >= retries.attempts or not matches(error, retries.on):
            return None
        if error.may_have_run and not retries.repeat:
            return None
        longest = min(retries.max_backoff, retries.backoff * 2 ** (self._failed - 1))
        return self._random.uniform(0.0, longest)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that an upstream asks to wait, by ``retry-after-ms`` or ``retry-after``.

    Seconds or an HTTP date (RFC 9110, 10.2.3), which ``now`` (since the epoch) is compared with.
    Of several the longest; milliseconds are the more exact, unless the seconds contradict them.
    """
    precise = longest(headers.get("retry-after-ms", ""))
    named = headers.get("retry-after", "")
    wait = longest(named)
    if wait is None:
        wait = _until(named, now)
    if precise is None:
        return wait
    exact = precise / 1000
    rounded = wait is None or wait - exact < 1  # seconds are rounded up
    return exact if rounded else wait


def _until(date: str, now: float) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - now)
    except (ValueError, OverflowError):
        return None

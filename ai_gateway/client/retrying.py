"""Whether a call is tried again, and after how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from random import SystemRandom
from typing import Any, Final

import httpx

from ai_gateway.client.calls import Call

#: Refusals before anything was done: whoever tries again does nothing twice.
_UNDONE: Final = {429, 503}
_FAILED: Final = 500
_RANDOM: Final = SystemRandom()
#: No connection was made, so that the gateway has not seen the request.
_UNSENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Retrying:
    """At most ``retries`` more, after waits that double from ``first`` to ``longest`` seconds.

    Each wait is drawn evenly from none to that ("full jitter"), so that many clients do not come
    back at once. What the reply says in ``retry-after`` is waited for in full and a little more;
    where it is beyond ``patience`` seconds, the error is the caller's at once.
    """

    retries: int = 4
    first: float = 0.5
    longest: float = 8.0
    patience: float = 60.0
    random: Callable[[], float] = _RANDOM.random

    def wait(
        self, call: Call[Any], outcome: httpx.Response | Exception, tries: int
    ) -> float | None:
        """Seconds until the next try after ``tries``; None for no other one."""
        if tries > self.retries or not _passing(call, outcome):
            return None
        drawn: float = self.random() * min(self.longest, self.first * 2 ** (tries - 1))
        named = None if isinstance(outcome, Exception) else _retry_after(outcome.headers)
        if named is None:
            return drawn
        return None if named > self.patience else named + drawn


def _passing(call: Call[Any], outcome: httpx.Response | Exception) -> bool:
    """Whether another try may go well, and does no harm."""
    if isinstance(outcome, Exception):
        return isinstance(outcome, _UNSENT) or call.again
    if outcome.headers.get("x-should-retry") == "false":
        return False
    return outcome.status_code in _UNDONE or (outcome.status_code >= _FAILED and call.again)


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds of RFC 9110's header: a number, or a date less that of the reply itself."""
    said = headers.get("retry-after", "")
    if said.isascii() and said.isdigit():
        return float(said)
    try:
        until, now = parsedate_to_datetime(said), parsedate_to_datetime(headers.get("date", ""))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError):
        return None

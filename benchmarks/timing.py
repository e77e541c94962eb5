"""Whether the time of a refusal tells how much of a key is right.

Usage: python -m benchmarks.timing [--calls 20000]

Wrong keys share 0, 1, half and all but one of the administrator's characters; the others are drawn
anew each time, and the order too, so that whatever else the machine does meets them alike. A
second kind that shares nothing shows what is noise: what differs from the first kind no more than
that tells nobody anything. Prints for each the median in nanoseconds and Welch's t against the
first kind, and the same of `==` on the texts, which stops at the first difference.
"""

from __future__ import annotations

import argparse
import gc
import math
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from random import Random
from string import ascii_uppercase

from ai_gateway.access.identity import Identity
from ai_gateway.errors import Unauthenticated
from ai_gateway.manifest.model import Route
from ai_gateway.settings import Settings

KEY = "k" * 64
ROUTE = Route(name="inference", path="/inference", auth=("api-key",))
#: How many characters are right, of 64.
SHARED = {"nothing": 0, "nothing again": 0, "1": 1, "32": 32, "63": 63}


def keys(calls: int) -> list[tuple[str, str]]:
    """Names of ``SHARED`` and wrong keys, ``calls`` of each, in an order drawn by chance."""
    drawn = Random(1)
    made = [
        (name, KEY[:shared] + "".join(drawn.choices(ascii_uppercase, k=len(KEY) - shared)))
        for name, shared in SHARED.items()
        for _ in range(calls)
    ]
    drawn.shuffle(made)
    return made


def measured(ask: Callable[[str], object], calls: int) -> dict[str, list[int]]:
    """Nanoseconds by name; beyond one bound for all, the slowest hundredth is left out."""
    taken: dict[str, list[int]] = {name: [] for name in SHARED}
    for name, text in keys(calls):
        began = time.perf_counter_ns()
        ask(text)
        taken[name].append(time.perf_counter_ns() - began)
    bound = statistics.quantiles(chain.from_iterable(taken.values()), n=100)[-1]
    return {name: [each for each in times if each <= bound] for name, times in taken.items()}


def welch(one: list[int], other: list[int]) -> float:
    """Welch's t of two samples."""
    spread = statistics.variance(one) / len(one) + statistics.variance(other) / len(other)
    return (statistics.fmean(one) - statistics.fmean(other)) / math.sqrt(spread or 1)


def show(what: str, ask: Callable[[str], object], calls: int) -> None:
    """Measure, and print a line a key."""
    taken = measured(ask, calls)
    first = taken["nothing"]
    for name, times in taken.items():
        print(
            f"{what:8} {name:14} {statistics.median(times):8.0f} ns   t {welch(times, first):+6.1f}"
        )


def main() -> None:
    """Print the figures."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--calls", type=int, default=20000)
    calls = arguments.parse_args().calls
    identity = Identity.of(Settings.read(None, {"AI_GATEWAY_API_KEY": KEY}), loopback=True)

    def refused(text: str) -> None:
        with suppress(Unauthenticated):
            identity.caller(ROUTE, "POST", {"x-api-key": text})

    gc.disable()
    show("gateway", refused, calls)
    show("==", lambda text: text == KEY, calls)


if __name__ == "__main__":
    main()

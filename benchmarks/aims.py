"""What the gateway is to reach beside its floor and its peers, and whether a run did."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

#: The figures of a run, by table and name.
Found = Mapping[tuple[str, str], Mapping[str, float]]

_IN_FLIGHT = "1,000 in flight"


class Aim(NamedTuple):
    """A figure, and the ``bound`` that it is to keep below, or above where it is the ``least``.

    ``of`` raises KeyError where the run has not measured it.
    """

    text: str
    bound: float
    of: Callable[[Found], float]
    least: bool = False

    def met(self, value: float) -> bool:
        """Whether ``value`` keeps to the bound."""
        return value >= self.bound if self.least else value <= self.bound


def _of(table: str, name: str, figure: str) -> Callable[[Found], float]:
    return lambda found: found[table, name][figure]


def _cpu(found: Found, name: str) -> float:
    return found["matrix", name]["cpu"]


def _added(found: Found) -> float:
    streams = "50 streams"
    return found[streams, "all"]["first_p99"] - found[streams, "floor"]["first_p99"]


def _errors(found: Found) -> float:
    ours = [figures["errors"] for (_, name), figures in found.items() if name in ("bare", "all")]
    if not ours:
        raise KeyError("bare")
    return sum(ours)


def _grown(found: Found) -> float:
    few, many = (found[f"after {count:,} requests", "all"] for count in (10_000, 1_000_000))
    return many["memory"] / few["memory"]


AIMS = (
    Aim("CPU a request, bare / floor", 1.25, lambda at: _cpu(at, "bare") / _cpu(at, "floor")),
    Aim("CPU a request, all - bare, µs", 150, lambda at: _cpu(at, "all") - _cpu(at, "bare")),
    Aim("CPU a request, all / Portkey", 0.5, lambda at: _cpu(at, "all") / _cpu(at, "portkey")),
    Aim("CPU a request, all / LiteLLM", 0.05, lambda at: _cpu(at, "all") / _cpu(at, "litellm")),
    Aim("1,000 in flight, bare: requests/s", 1500, _of(_IN_FLIGHT, "bare", "rate"), least=True),
    Aim("1,000 in flight, all: requests/s", 1200, _of(_IN_FLIGHT, "all", "rate"), least=True),
    Aim("1,000 in flight, bare: MB", 350, _of(_IN_FLIGHT, "bare", "memory")),
    Aim("1,000 in flight, all: MB", 350, _of(_IN_FLIGHT, "all", "memory")),
    Aim("500 streams, bare: CPU µs a chunk", 50, _of("500 streams", "bare", "cpu")),
    Aim("500 streams, all: CPU µs a chunk", 50, _of("500 streams", "all", "cpu")),
    Aim("500 streams, bare: late p99 ms", 50, _of("500 streams", "bare", "late_p99")),
    Aim("500 streams, all: late p99 ms", 50, _of("500 streams", "all", "late_p99")),
    Aim("50 streams, all: first p99 ms, beyond the floor's", 10, _added),
    Aim("memory after 1,000,000 requests / after 10,000", 1.1, _grown),
    Aim("bare and all: errors", 0, _errors),
)


def reached(found: Found) -> Iterator[tuple[Aim, float]]:
    """Each aim that the run has figures for, and what came of it."""
    for aim in AIMS:
        with suppress(KeyError):
            yield aim, aim.of(found)

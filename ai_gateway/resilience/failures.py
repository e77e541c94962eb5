"""Which failure is which: what may be asked again, what falls back, what opens a circuit."""

from __future__ import annotations

from collections.abc import Collection

from ai_gateway.errors import (
    GatewayError,
    UpstreamColdStart,
    UpstreamDenied,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnavailable,
    UpstreamUnreachable,
)


class Busy(UpstreamUnavailable):
    """All that a model may be asked at once is in use, and so is the queue for it."""

    code = "model_busy"


class CircuitOpen(UpstreamUnavailable):
    """A model failed too often and is left alone for now."""

    code = "model_circuit_open"


#: Codes whose failure has a word of its own; their status says nothing about the model.
_WORDS = {
    UpstreamUnreachable.code: "connect",
    UpstreamColdStart.code: "cold-start",
    UpstreamDenied.code: "credentials",
    UpstreamTimeout.code: "timeout",
    Busy.code: "busy",
    CircuitOpen.code: "open",
}
#: What never opens a circuit: somebody else's move, or a model that is on its way.
_HARMLESS = frozenset({"4xx", "cold-start", "credentials", "busy", "open"})


def kinds(error: GatewayError) -> frozenset[str]:
    """The words of ``on:`` that ``error`` falls under; none if it is no upstream's."""
    if not isinstance(error, UpstreamError):
        return frozenset()
    word = _WORDS.get(error.code)
    return frozenset({word} if word else {str(error.status), f"{error.status // 100}xx"})


def matches(error: GatewayError, on: Collection[str]) -> bool:
    """Whether ``error`` is one that ``on`` names."""
    return not kinds(error).isdisjoint(on)


def blames(error: BaseException | None) -> bool | None:
    """Whether a call that ended by ``error`` failed at its endpoint; None where it says nothing.

    A refused request and a caller who left say nothing of an endpoint; a limit that is used up
    and a cold start do, since another one may have neither.
    """
    if error is None:
        return False
    if not isinstance(error, UpstreamError):
        return None
    found = kinds(error)
    return True if "4xx" not in found or "429" in found else None


def counts(error: GatewayError) -> bool:
    """Whether ``error`` is a failure for the model's circuit."""
    found = kinds(error)
    return bool(found) and found.isdisjoint(_HARMLESS)

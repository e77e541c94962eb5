"""Which models are tried, and in what order."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ai_gateway.resilience.declared import Canary, Fallback


def order(chosen: str, fallback: Fallback, passes: Callable[[str], bool]) -> tuple[str, ...]:
    """``chosen`` and then its fallbacks, each once, without those that ``passes`` holds back.

    ``passes`` says whether a model's circuit lets a call through. None is left where none does: the
    caller is then told at once (CircuitOpen), for asking anyway is what the circuits are against.
    """
    passing = tuple(filter(passes, dict.fromkeys((chosen, *fallback.models))))
    return passing if passing[:1] == (chosen,) or "open" in fallback.on else ()


def mixed(probabilities: Mapping[str, float], canary: Canary) -> dict[str, float]:
    """The others' probabilities (sum 1) and the canary's, once it has its share; the sum stays 1.

    So one draw picks from all, and its recorded propensity is true.
    """
    rest = {name: share * (1 - canary.share) for name, share in probabilities.items()}
    return {**rest, canary.model: canary.share}

"""Which models are tried, and in what order."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ai_gateway.resilience.declared import Canary, Fallback


def order(chosen: str, fallback: Fallback | None, passes: Callable[[str], bool]) -> tuple[str, ...]:
    """``chosen`` and then its fallbacks, each once, without those that ``passes`` holds back.

    ``passes`` says whether a model's circuit lets a call through. None is left where none does: the
    caller is then told at once (CircuitOpen), for asking anyway is what the circuits are against.
    """
    instead = fallback.models if fallback is not None and "open" in fallback.on else ()
    if not passes(chosen):
        return tuple(name for name in dict.fromkeys(instead) if name != chosen and passes(name))
    others = fallback.models if fallback is not None else ()
    return tuple(
        name for name in dict.fromkeys((chosen, *others)) if name == chosen or passes(name)
    )


def mixed(probabilities: Mapping[str, float], canary: Canary) -> dict[str, float]:
    """Every candidate's probability (sum 1) once ``canary`` has its share; the sum stays 1.

    The canary's own share comes on top of what the routing gives it as a candidate, so that one
    draw picks from all and its recorded propensity is true.
    """
    rest = {name: share * (1 - canary.share) for name, share in probabilities.items()}
    return {**rest, canary.model: rest.get(canary.model, 0.0) + canary.share}

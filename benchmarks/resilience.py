"""What retries, breakers, gates, endpoints, a canary and a shadow cost a call that goes well.

    python -m benchmarks.resilience

CPU time of the choice of a model and of the way to it and back, without the call itself; best of
several runs, nothing contended. The first line is what every call pays where nothing is declared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from random import SystemRandom
from types import SimpleNamespace
from typing import Any, cast

from ai_gateway.answer.call import Call
from ai_gateway.answer.places import places
from ai_gateway.answer.record import Decision
from ai_gateway.answer.select import Selection
from ai_gateway.answer.shadow import Shadowing
from ai_gateway.answer.tries import Tries
from ai_gateway.answer.turns import Turn, Turns
from ai_gateway.answer.weights import Publication, Weights
from ai_gateway.clock import SystemClock
from ai_gateway.contract import Event
from ai_gateway.manifest.model import Manifest
from ai_gateway.metrics import Metrics

BREAKER: dict[str, Any] = {"breaker": {}}
GATE: dict[str, Any] = {"concurrency": {"limit": 1000}}
ENDPOINTS = {"endpoints": [{"url": f"https://{name}.example/v1"} for name in ("b", "c")]}
#: What is declared, for each model and for the route.
CASES: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing declared": ({}, {}),
    "retries": ({}, {"retries": {}}),
    "a fallback": ({}, {"fallback": {"models": ["b"]}}),
    "a breaker": (BREAKER, {}),
    "a concurrency limit": (GATE, {}),
    "three endpoints": (ENDPOINTS, {}),
    "a canary": ({}, {"canary": {"model": "c", "share": 0.1}}),
    "a shadow that is not drawn": ({}, {"shadow": {"model": "c", "share": 1e-12}}),
    "all of them": (
        {**BREAKER, **GATE, **ENDPOINTS},
        {
            "retries": {},
            "fallback": {"models": ["b"]},
            "canary": {"model": "c", "share": 0.1},
            "shadow": {"model": "c", "share": 1e-12},
        },
    ),
}


def way(of_model: dict[str, Any], of_route: dict[str, Any]) -> Callable[[], None]:
    """Everything round one call under these declarations."""
    model = {"url": "https://a.example/v1", "model_id": "m", **of_model}
    route = {"path": "/a", "function": "functions.ping:handle", **of_route}
    manifest = Manifest.model_validate({"models": dict.fromkeys("abc", model), "routes": [route]})
    clock, random, there = SystemClock(), SystemRandom(), places(manifest.models)
    turns = Turns.of(clock)
    tries = Tries(turns, clock, random, Metrics())
    weights = cast("Weights", SimpleNamespace(current=Publication()))
    selection = Selection(manifest, weights, random, turns.watch(there))
    nobody: Any = None
    shadowing = Shadowing(nobody, nobody, nobody, nobody, Metrics(), clock, random)
    event = Event("1" * 32, manifest.routes[0], "POST", "/a", clock.now(), clock.monotonic())
    call = Call(event, "chat", {"messages": []})

    def once() -> None:
        decision = Decision(event, "chat")
        decision.choice = selection.choice(call, decision)
        shadowing.repeat(call, decision)
        tries.until_one_answers(decision, decision.choice.chosen, there, Turn.end, lambda _: True)

    return once


def microseconds(once: Callable[[], None], calls: int = 20_000) -> float:
    """CPU time of one call, best of seven runs."""
    best = float("inf")
    for _ in range(7):
        start = time.process_time()
        for _ in range(calls):
            once()
        best = min(best, (time.process_time() - start) / calls)
    return best * 1e6


def main() -> None:
    """Print every case, and what it adds to the first."""
    bare = 0.0
    for name, declared in CASES.items():
        taken = microseconds(way(*declared))
        bare = bare or taken
        print(f"{name:28} {taken:6.2f} µs  {taken - bare:+6.2f}")


if __name__ == "__main__":
    main()

"""What processes share: ``GATEWAY_STATE`` can be used, and is where a bundle needs it to be."""

from __future__ import annotations

from collections.abc import Iterator

from ai_gateway.cache.caches import MEMORY
from ai_gateway.cache.stores import unusable
from ai_gateway.manifest.checks.finding import Finding, Surroundings
from ai_gateway.manifest.model import Manifest

_AT = ("GATEWAY_STATE",)


def check(manifest: Manifest, around: Surroundings) -> Iterator[Finding]:
    """The address, and what several workers would each have for themselves."""
    state = around.settings.state
    problem = None if state == MEMORY else unusable(state)
    if problem:
        yield Finding(_AT, *problem)
    if around.serving and around.workers > 1:
        yield from _shared(manifest, state, around.workers)


def _shared(manifest: Manifest, state: str, workers: int) -> Iterator[Finding]:
    limited = [f"a rateLimit on {r.name}" for r in manifest.secured().routes if r.rate_limit]
    limited += [f"the {each.called} of limits" for each in manifest.limits]
    limited += [f"the {each.called} of budgets" for each in manifest.budgets]
    cached = [route.name for route in manifest.routes if route.cache]
    if limited and state == MEMORY:
        yield Finding(
            _AT,
            f"{MEMORY} with {workers} workers and {', '.join(limited)}",
            "redis://HOST, or one worker: a limit that each counts for itself is no limit",
        )
    if cached and state == MEMORY:
        yield Finding(
            _AT,
            f"{MEMORY} with {workers} workers and a cache on {', '.join(cached)}",
            "redis://HOST, or one worker: each would have a cache of its own",
        )

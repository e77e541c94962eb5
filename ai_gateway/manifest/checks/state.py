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
    limited = [route.name for route in manifest.secured().routes if route.rate_limit]
    cached = [route.name for route in manifest.routes if route.cache]
    if limited:  # limits are not in Redis yet
        yield Finding(
            _AT,
            f"{workers} workers and a rateLimit on {', '.join(limited)}",
            "one worker: a limit that each worker counts for itself is no limit",
        )
    if cached and state == MEMORY:
        yield Finding(
            _AT,
            f"{MEMORY} with {workers} workers and a cache on {', '.join(cached)}",
            "redis://HOST, or one worker: each would have a cache of its own",
        )

"""A cache that goes by meaning has a model for it."""

from __future__ import annotations

from collections.abc import Iterator

from ai_gateway.cache.declared import Semantic
from ai_gateway.manifest.checks.finding import Finding, Location, Surroundings, nearest
from ai_gateway.manifest.model import Manifest, Route


def check(manifest: Manifest, around: Surroundings) -> Iterator[Finding]:
    """Every route that declares one."""
    for index, route in enumerate(manifest.routes):
        if route.cache and route.cache.semantic:
            at: Location = ("routes", index, "cache", "semantic", "model")
            yield from _semantic(at, route.cache.semantic, route, manifest, around)


def _semantic(
    at: Location, semantic: Semantic, route: Route, manifest: Manifest, around: Surroundings
) -> Iterator[Finding]:
    name = semantic.model
    model = manifest.models.get(name)
    if name not in around.models:
        yield Finding(at, name, nearest(name, around.models))
    elif model and model.dialect != "openai":
        yield Finding(at, f"{name}, whose dialect is {model.dialect}", "an embeddings model")
    elif name in manifest.candidates(route):
        wanted = f"routing of this route with `models` that leave {name} out: it gives vectors"
        yield Finding(at, f"{name}, which this route may choose to answer", wanted)

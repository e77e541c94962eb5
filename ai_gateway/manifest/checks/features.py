"""What this version knows of but cannot do yet stops the start."""

from __future__ import annotations

from collections.abc import Iterator

from ai_gateway.manifest.checks.finding import Finding, Location, Surroundings
from ai_gateway.manifest.closed import Closed
from ai_gateway.manifest.model import LATER, Manifest


def check(manifest: Manifest, _around: Surroundings) -> Iterator[Finding]:
    """A feature that a later version brings, wherever it stands."""
    used: list[tuple[Location, str]] = [(("callback",), "callback")] * (
        manifest.callback is not None
    )
    for at, name, value in _values(manifest):
        used += [((*at, name), f"{name}: {item}") for item in _each(value)]
        used += [((*at, name), name)] * (value is not None)
    for place, feature in used:
        if feature in LATER:
            yield Finding(place, feature, LATER[feature])


def _each(value: object) -> list[object]:
    return list(value) if isinstance(value, tuple) else [value]


def _values(manifest: Manifest) -> Iterator[tuple[Location, str, object]]:
    parts: list[tuple[Location, Closed]] = [
        *((("routes", index), route) for index, route in enumerate(manifest.routes)),
        *((("security", index), entry) for index, entry in enumerate(manifest.security)),
        *((("models", name), model) for name, model in manifest.models.items()),
    ]
    for at, part in parts:
        for name in type(part).model_fields:
            yield at, name, getattr(part, name)

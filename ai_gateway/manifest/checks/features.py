"""What this version knows of but cannot do yet stops the start."""

from __future__ import annotations

from collections.abc import Iterator

from ai_gateway.manifest.checks.finding import Finding, Location, Surroundings
from ai_gateway.manifest.closed import Closed
from ai_gateway.manifest.model import LATER, Manifest


def check(manifest: Manifest, _around: Surroundings) -> Iterator[Finding]:
    """A feature that a later version brings, wherever it stands."""
    parts: list[tuple[Location, Closed]] = [
        ((), manifest),
        *((("routes", index), route) for index, route in enumerate(manifest.routes)),
    ]
    for at, part in parts:
        for name, wanted in LATER.items():
            if getattr(part, name) is not None:
                yield Finding((*at, name), name, wanted)

"""Pages may send what a route takes."""

from __future__ import annotations

from collections.abc import Iterator

from ai_gateway.manifest.checks.finding import Finding, Surroundings, nearest
from ai_gateway.manifest.model import Manifest


def check(manifest: Manifest, _around: Surroundings) -> Iterator[Finding]:
    """The methods of each route's ``cors`` are its own."""
    for index, route in enumerate(manifest.routes):
        for method in route.cors.methods if route.cors else ():
            if method not in route.methods:
                at = ("routes", index, "cors", "methods")
                yield Finding(at, method, nearest(method, route.methods))

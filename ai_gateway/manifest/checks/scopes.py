"""A scope that a route asks for is one that somebody can have who gets as far as that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ai_gateway.manifest.checks.finding import Finding, Surroundings
from ai_gateway.manifest.model import Manifest

#: Who comes in by these was given no scope.
_WITHOUT: Final = {"none": "with none everybody is let in", "platform": "its users have no scopes"}


def check(manifest: Manifest, _around: Surroundings) -> Iterator[Finding]:
    """No way in leads to a refusal always."""
    for index, route in enumerate(manifest.secured().routes):
        for scheme in route.auth:
            if route.scopes and scheme in _WITHOUT:
                found = f"scopes and auth: {scheme}"
                wanted = f"api-key or jwt alone: {_WITHOUT[scheme]}"
                yield Finding(("routes", index, "scopes"), found, wanted)

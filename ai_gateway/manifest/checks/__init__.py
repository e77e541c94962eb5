"""What a pydantic model cannot see, one file a concern.

Each check is a function of a manifest that is valid by itself, and yields findings by key path.
"""

from __future__ import annotations

from collections.abc import Iterator

from ai_gateway.manifest.checks import (
    access,
    asking,
    cache,
    callbacks,
    compliance,
    cors,
    encryption,
    guardrails,
    hosts,
    issuers,
    jobs,
    limits,
    models,
    portal,
    routes,
    scopes,
    state,
    telemetry,
    tls,
)
from ai_gateway.manifest.checks.finding import Finding, Surroundings
from ai_gateway.manifest.model import Manifest

__all__ = ["Finding", "Surroundings", "check"]


def check(manifest: Manifest, around: Surroundings) -> Iterator[Finding]:
    """Every problem of a manifest that is well-formed."""
    for part in (
        *(routes, asking, models, guardrails, cache, hosts, jobs, access, state),
        *(issuers, scopes, compliance, telemetry, limits, tls, cors, encryption, callbacks, portal),
    ):
        yield from part.check(manifest, around)

"""What is promised is measured, and what is to be deleted has a job that does it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ai_gateway.manifest.checks.asking import SILENT
from ai_gateway.manifest.checks.finding import Finding, Surroundings
from ai_gateway.manifest.model import Manifest

_PRUNE: Final = "functions.prune:"


def check(manifest: Manifest, _around: Surroundings) -> Iterator[Finding]:
    """Routes with an `slo`, and `retention`."""
    for index, route in enumerate(manifest.routes):
        if route.slo and route.function in SILENT:
            found = f"slo and {route.function}, whose answers are not recorded"
            wanted = "it on a route that asks a model, or a target"
            yield Finding(("routes", index, "slo"), found, wanted)
    if manifest.retention and not any(job.function.startswith(_PRUNE) for job in manifest.jobs):
        wanted = f"a job with function: {_PRUNE}handle, or no retention: nothing else deletes"
        yield Finding(("retention",), "retention and no job that prunes", wanted)

"""The keys of what is stored are keys."""

from __future__ import annotations

from collections.abc import Iterator

from ai_gateway.manifest.checks.finding import Finding, Surroundings
from ai_gateway.manifest.model import Manifest
from ai_gateway.records.keyring import Keyring, UnusableKey


def check(_manifest: Manifest, around: Surroundings) -> Iterator[Finding]:
    """For jobs as well: they read and write what is stored."""
    try:
        Keyring.of(around.settings.encryption)
    except UnusableKey as problem:
        yield Finding((problem.variable,), problem.found, problem.wanted)

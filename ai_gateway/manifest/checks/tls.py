"""The server's certificate is one, with its key; and nothing before it speaks plain HTTP."""

from __future__ import annotations

from collections.abc import Iterator

from ai_gateway.certificates import CERTIFICATE, unusable
from ai_gateway.manifest.checks.finding import Finding, Surroundings
from ai_gateway.manifest.model import Manifest


def check(_manifest: Manifest, around: Surroundings) -> Iterator[Finding]:
    """The files, all at once; a job listens nowhere and needs none."""
    files = around.settings.tls
    if files is None or not around.serving:
        return
    if around.settings.on_cai:
        yield Finding(
            (CERTIFICATE,),
            "a certificate on Cloudera AI",
            "none: its proxy ends TLS and speaks plain HTTP to 127.0.0.1",
        )
        return
    for problem in unusable(files):
        yield Finding((problem.variable,), problem.found, problem.wanted)

"""Where traces go can be reached as the variables say, and the libraries for it are there."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ai_gateway.manifest.checks.finding import Finding, Surroundings
from ai_gateway.manifest.model import Manifest
from ai_gateway.telemetry.tracing import ENDPOINT, missing, wanted

_PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
_SPOKEN = "http/protobuf"


def check(_manifest: Manifest, around: Surroundings) -> Iterator[Finding]:
    """The address, the protocol and the libraries of OpenTelemetry, if it is wanted at all."""
    variables = around.settings.variables
    if not wanted(variables):
        return
    if missing():
        yield Finding((ENDPOINT,), "an address, and no library", "pip install 'ai-gateway[otel]'")
    if not _is_address(variables[ENDPOINT].strip()):
        yield Finding((ENDPOINT,), "no address of a collector", "such as http://127.0.0.1:4318")
    if variables.get(_PROTOCOL, "").strip() not in ("", _SPOKEN):
        yield Finding((_PROTOCOL,), variables[_PROTOCOL], f"{_SPOKEN}, which alone is spoken")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False

"""The Open Inference Protocol as its clients send it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ai_gateway import surfaces
from ai_gateway.contract import Event
from ai_gateway.errors import BadRequest

_PROTOCOL = frozenset({"id", "inputs", "outputs", "parameters"})
_IN_TENSOR = frozenset({"data", "datatype", "name", "parameters", "shape"})

_BINARY = "inference-header-content-length"
_HINT = "send and ask for data in the JSON (tritonclient: binary_data=False)."


def parse(event: Event) -> dict[str, Any]:
    """The request; raises BadRequest for tensors in binary, which no guardrail could read."""
    if _BINARY in event.headers:
        raise BadRequest(f"Binary tensors after the JSON are not read; {_HINT}")
    body = surfaces.parse(event, _PROTOCOL, {"inputs": list})
    outputs = body.get("outputs")
    for tensor in (*body["inputs"], *(outputs if isinstance(outputs, list) else ())):
        if isinstance(tensor, dict):
            surfaces.refuse_variants(tensor, _IN_TENSOR)
            _refuse_binary(tensor, "binary_data")
    _refuse_binary(body, "binary_data_output")
    return body


def _refuse_binary(place: Mapping[str, Any], name: str) -> None:
    given = place.get("parameters")
    if isinstance(given, dict) and given.get(name):
        raise BadRequest(f"{name}: answers in binary are not passed on; {_HINT}", param=name)

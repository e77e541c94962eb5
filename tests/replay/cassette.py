"""How an exchange with an Inference Service is kept: diffable, without secrets, its origin said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import yaml

from ai_gateway import __version__

#: The addresses that cassettes know, whatever they were recorded from.
PLACES = {name: f"https://inference.example/{name}/v1" for name in ("model-a", "model-b", "judge")}
#: All that is kept of the headers.
REQUEST_HEADERS = {"accept", "content-type"}
RESPONSE_HEADERS = {"content-type", "retry-after", "x-gateway-simulated"}


class Serializer:
    """YAML with JSON bodies as values, and a ``recorded`` entry that says from what and when."""

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def serialize(self, cassette: dict[str, Any]) -> str:
        """The file's text."""
        recorded = {
            "from": self.origin,
            "on": datetime.now(timezone.utc).date().isoformat(),
            "by": f"ai-gateway {__version__}",
        }
        interactions = [_plain(interaction) for interaction in cassette["interactions"]]
        document = {"recorded": recorded, "interactions": interactions, "version": 1}
        return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)

    def deserialize(self, text: str) -> dict[str, Any]:
        """What ``serialize`` was given."""
        document = yaml.safe_load(text)
        for interaction in document["interactions"]:
            request, response = interaction["request"], interaction["response"]
            request["body"] = _bytes(request).decode()
            response["body"] = {"string": _bytes(response)}
        return {"interactions": document["interactions"], "version": 1}


def _plain(interaction: dict[str, Any]) -> dict[str, Any]:
    request, response = interaction["request"], interaction["response"]
    return {
        "request": {
            "method": request["method"],
            "uri": request["uri"],
            "headers": _kept(request["headers"], REQUEST_HEADERS),
            **_body(request["body"]),
        },
        "response": {
            "status": response["status"],
            "headers": _kept(response["headers"], RESPONSE_HEADERS),
            **_body(response["body"]["string"]),
        },
    }


def _kept(headers: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name.lower(): value for name, value in headers.items() if name.lower() in names}


def _body(body: bytes | str | None) -> dict[str, Any]:
    text = body.decode() if isinstance(body, bytes) else body or ""
    try:
        return {"json": json.loads(text)}
    except ValueError:
        return {"text": text}


def _bytes(part: dict[str, Any]) -> bytes:
    if "json" in part:
        return json.dumps(part.pop("json")).encode()
    text: str = part.pop("text")
    return text.encode()


class Origin:
    """The real addresses and model ids of a recording, hidden behind those of ``PLACES``."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.places = {
            variables[f"{prefix}_URL"].removesuffix("/chat/completions"): name
            for name, prefix in PREFIXES.items()
        }

    def hide(self, request: Any) -> Any:
        """The request as a cassette knows it; the same again for one that it knows."""
        for real, name in self.places.items():
            if request.uri.startswith(real):
                request.uri = PLACES[name] + request.uri[len(real) :]
                request.body = json.dumps({**json.loads(request.body), "model": name})
        return request


PREFIXES = {"model-a": "MODEL_A", "model-b": "MODEL_B", "judge": "JUDGE_MODEL"}
REPLAYED = {
    f"{prefix}_{part}": value
    for name, prefix in PREFIXES.items()
    for part, value in {"URL": PLACES[name], "ID": name, "TOKEN": "replayed"}.items()
}

"""What the official clients are pointed at: the gateway where it has the route, else the stand-in.

The clients are no dependency of the project: `pip install --group clients` brings those in Python,
`npm ci --prefix tests/clients/node` those in Node. Tests of a client that is missing are skipped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from ai_gateway.simulator import Simulator, endpoints

KEY = "simulated"
#: A path by which a kind of API is known to be there.
PATHS = {
    "text": "/v1/chat/completions",
    "embedder": "/v1/embeddings",
    "media": "/v1/audio/speech",
    "anthropic": "/v1/messages",
}
#: The names that the gateway's bundle gives to the models of each kind.
GATEWAY_MODELS = {
    "text": "model-a",
    "embedder": "embedder",
    "media": "media",
    "anthropic": "claude",
}
WEATHER = {
    "name": "get_weather",
    "description": "The current weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["C", "F"]}},
        "required": ["city", "unit"],
        "additionalProperties": False,
    },
}
CLOCK = {
    "name": "get_time",
    "description": "The local time at a place.",
    "parameters": {
        "type": "object",
        "properties": {"place": {"type": "string"}},
        "required": ["place"],
        "additionalProperties": False,
    },
}
TOOLS = [{"type": "function", "function": function} for function in (WEATHER, CLOCK)]
QUESTION = "What is a Finite State Machine?"
FACT = "finite set of states"
#: A stream of a minute: long enough to be left.
ENDLESS = f"{QUESTION} [[simulate tokens=1200; chunk-delay=0.05]]"


def fails(directive: str) -> str:
    """A question that the stand-in answers in that way, whoever forwards it."""
    return f"{QUESTION} [[simulate {directive}]]"


@dataclass(frozen=True)
class Target:
    """Base URLs that end in /v1 and models, by kind; the key; how many have left the stand-in."""

    bases: dict[str, str]
    models: dict[str, str]
    key: str
    disconnects: Callable[[], int]

    def kind(self, name: str = "text") -> dict[str, Any]:
        """What most clients take."""
        return {"base_url": self.bases[name], "api_key": self.key}

    @property
    def anthropic(self) -> str:
        """The base URL as Anthropic's clients want it, who add the version themselves."""
        return self.bases["anthropic"].removesuffix("/v1")

    @property
    def json(self) -> str:
        """What a client in another language needs to know."""
        return json.dumps(
            {
                "bases": self.bases,
                "models": self.models,
                "key": self.key,
                "anthropic": self.anthropic,
            }
        )

    def left(self, before: int, seconds: float = 1.0) -> bool:
        """Whether one more caller has left the stand-in within a second."""
        end = time.monotonic() + seconds
        while self.disconnects() <= before and time.monotonic() < end:
            time.sleep(0.01)
        return self.disconnects() > before


@pytest.fixture(scope="session")
def gateway_url() -> str | None:
    """Where the gateway is served for these tests, None as long as it has no such routes."""
    return None


@pytest.fixture(scope="session")
def standin() -> Iterator[Simulator]:
    """The stand-in, for all tests of clients."""
    with Simulator().start() as running:
        yield running


@pytest.fixture(scope="session")
def target(standin: Simulator, gateway_url: str | None) -> Target:
    """For each kind of API the gateway if it serves it, else the stand-in itself."""
    bases = endpoints(standin.url)
    bases["text"] = bases["model-a"]
    models = {
        "text": "simulated/model-a",
        "embedder": "simulated/embedder",
        "media": "simulated/media",
        "anthropic": "claude-simulated",
    }
    served = [kind for kind, path in PATHS.items() if gateway_url and _serves(gateway_url + path)]
    return Target(
        {kind: f"{gateway_url}/v1" if kind in served else bases[kind] for kind in PATHS},
        {kind: (GATEWAY_MODELS if kind in served else models)[kind] for kind in PATHS},
        KEY,
        standin.disconnects.total,
    )


def _serves(url: str) -> bool:
    headers = {"authorization": f"Bearer {KEY}"}
    return httpx.post(url, json={}, headers=headers, trust_env=False).status_code != 404

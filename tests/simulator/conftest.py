"""One simulator for all tests that leave it unchanged, and one of its own for the others."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from ai_gateway.simulator import Simulator, endpoints, variables

MODELS = {"anthropic": "claude-simulated"}
KEYS = {"x-api-key": "simulated", "anthropic-version": "2023-06-01", "api-key": "simulated"}


@dataclass(frozen=True)
class Client:
    """Asks a simulator the way that its variables say."""

    http: httpx.Client
    variables: dict[str, str]
    bases: dict[str, str]

    def path(self, model: str = "model-a") -> str:
        return self.variables[f"{_prefix(model)}_URL"]

    def post(
        self, body: object, model: str = "model-a", headers: dict[str, str] | None = None
    ) -> httpx.Response:
        url = f"{self.path(model)}/chat/completions"
        return self.http.post(url, json=body, headers=headers)

    def ask(
        self,
        text: str,
        model: str = "model-a",
        headers: dict[str, str] | None = None,
        **fields: object,
    ) -> httpx.Response:
        return self.post(self.body(text, model, **fields), model, headers)

    def body(self, text: str, model: str = "model-a", **fields: object) -> dict[str, object]:
        name = self.variables[f"{_prefix(model)}_ID"]
        return {"model": name, "messages": [{"role": "user", "content": text}], **fields}

    def says(self, text: str, model: str = "model-a", **fields: object) -> str:
        body = self.ask(text, model, None, **fields).json()
        return str(body["choices"][0]["message"]["content"])

    def send(
        self, path: str, endpoint: str = "model-a", directive: str = "", **fields: object
    ) -> httpx.Response:
        """A request to any endpoint's path, with its model's id unless ``fields`` has another."""
        model = MODELS.get(endpoint, f"simulated/{endpoint}")
        body = {"model": model, **fields}
        headers = {"x-simulate": directive} if directive else None
        return self.http.post(self.bases[endpoint] + path, json=body, headers=headers)


def _prefix(model: str) -> str:
    return {"model-a": "MODEL_A", "model-b": "MODEL_B", "judge": "JUDGE_MODEL"}[model]


def connect(simulator: Simulator) -> Client:
    """A client with the token that the simulator's variables name."""
    names = variables(simulator.url)
    headers = {"authorization": f"Bearer {names['MODEL_A_TOKEN']}", **KEYS}
    http = httpx.Client(headers=headers, timeout=10, trust_env=False)
    return Client(http, names, endpoints(simulator.url))


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A simulator that belongs to the test."""
    with Simulator().start() as simulator:
        yield simulator


@pytest.fixture
def client(simulator: Simulator) -> Iterator[Client]:
    """A client of the test's own simulator."""
    client = connect(simulator)
    with client.http:
        yield client


@pytest.fixture(scope="module")
def shared() -> Iterator[Client]:
    """A client of a simulator that no test changes."""
    with Simulator().start() as simulator:
        client = connect(simulator)
        with client.http:
            yield client


def events(reply: httpx.Response) -> list[Any]:
    """The events of a stream, parsed but for the end mark; a named one has its type in its data."""
    blocks = [block for block in reply.text.split("\n\n") if block]
    found = []
    for block in blocks:
        *names, data = block.split("\n")
        assert data.startswith("data: ")
        found.append(data if data == "data: [DONE]" else json.loads(data[6:]))
        assert all(name == f"event: {found[-1]['type']}" for name in names)
    return found

"""What the official clients are pointed at: the stand-in itself, and a gateway before it.

`make test` runs these twice, in `.venv` and in `.venv-clients`, since LiteLLM pins openai to an
older major; a client that an environment lacks is skipped there, and Node's without `npm ci`.
"""

from __future__ import annotations

import gc
import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ai_gateway.settings import Settings
from ai_gateway.simulator import Simulator, endpoints, variables

KEY = "simulated"
ROOT = Path(__file__).parents[2]
BUNDLE = Path(__file__).with_name("bundle")
#: What the models of each kind are called.
SIMULATOR_MODELS = {
    "text": "simulated/model-a",
    "embedder": "simulated/embedder",
    "media": "simulated/media",
    "anthropic": "claude-simulated",
}
#: The same with a model that speaks Anthropic's API, which then is another than most clients'.
CROSSED_MODELS = {
    "text": "crossed",
    "embedder": "embedder",
    "media": "media",
    "anthropic": "crossed",
}
#: It has no completions, choices, log probabilities and ``[DONE]``.
UNCROSSED = re.compile(
    r"test_(completions|logprobs|embeddings|media|pictures\w+)\[crossed"
    r"|test_traps\[crossed-no-done|\[crossed-openai-(completions|embeddings|media)"
)
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

#: A stream of a few words with silences between them.
SILENT = "Hello! [[simulate say=One two three.; chunk-delay=0.5]]"


IMAGE = "data:image/png;base64,AAAA"
_TURNS = itertools.count()


def fails(directive: str) -> str:
    """A question that the stand-in answers in that way, whoever forwards it."""
    return f"{QUESTION} [[simulate {directive}]]"


def fails_once() -> str:
    """A question that is refused the first time it is asked, with a wait of a second."""
    return fails(f"status=429; retry-after=1; times=1; latency=0.0{next(_TURNS):03}")


#: What becomes of a model's failure on its way through the gateway: that it refuses the gateway's
#: credentials is not its caller's fault.
STATUSES = {403: 502}
#: The failures that waiting helps against.
PASSING = (429, 500, 503, 529)


@dataclass(frozen=True)
class Target:
    """Base URLs that end in /v1 and models, by kind; the key; how many have left the stand-in."""

    bases: dict[str, str]
    models: dict[str, str]
    key: str
    disconnects: Callable[[], int]
    gateway: bool = False

    def kind(self, name: str = "text") -> dict[str, Any]:
        """What most clients take."""
        return {"base_url": self.bases[name], "api_key": self.key}

    def status(self, status: int) -> int:
        """What a client sees where the model fails with ``status``."""
        return STATUSES.get(status, status) if self.gateway else status

    @property
    def crossed(self) -> bool:
        """Whether a model of Anthropic's stands behind the gateway, for every client."""
        return self.models is CROSSED_MODELS

    def retry_after(self, status: int) -> str | None:
        """What a client sees where the model's failure has ``retry-after=7``."""
        return "7" if status in PASSING or not self.gateway else None

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
                "gateway": self.gateway,
                "crossed": self.crossed,
                "statuses": STATUSES if self.gateway else {},
                "passing": PASSING,
            }
        )

    def left(self, before: int, seconds: float = 1.0) -> bool:
        """Whether one more caller has left the stand-in within a second."""
        end = time.monotonic() + seconds
        while self.disconnects() <= before and time.monotonic() < end:
            time.sleep(0.01)
        return self.disconnects() > before


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what a model of Anthropic's has not, or what would be the same once more."""
    items[:] = [item for item in items if not UNCROSSED.search(item.nodeid)]


@pytest.fixture(scope="session", autouse=True)
def imported() -> Iterator[None]:
    """What the clients' libraries brought is never garbage: to look at it takes half a second."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def uncollected() -> Iterator[None]:
    """No garbage is collected while a client works.

    A stream that it left open (LiteLLM does where one is cut) gives its connection back when it is
    collected, under a lock of httpcore's that its own thread may hold at that very moment: it would
    wait for itself for ever.
    """
    gc.disable()
    yield
    gc.enable()
    gc.collect()


@pytest.fixture(scope="session")
def standin() -> Iterator[Simulator]:
    """The stand-in, for all tests of clients."""
    with Simulator().start() as running:
        yield running


@pytest.fixture(scope="session")
def gateway_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the gateway keeps its records."""
    return tmp_path_factory.mktemp("gateway")


@pytest.fixture(scope="session")
def gateway_url(standin: Simulator, gateway_data: Path) -> Iterator[str]:
    """A gateway that is a process of its own, with the stand-in behind every model."""
    inherited = Settings.read().variables
    environment = {
        "PATH": os.defpath,
        **variables(standin.url),
        "EMBEDDER_URL": endpoints(standin.url)["embedder"],
        "MEDIA_URL": endpoints(standin.url)["media"],
        "CLAUDE_URL": endpoints(standin.url)["anthropic"],
        "AI_GATEWAY_API_KEY": KEY,
        "GATEWAY_DATA": str(gateway_data),
        **{name: value for name, value in inherited.items() if name.startswith("COV")},
    }
    command = [sys.executable, "runner.py", "serve", "--port", "0", "--bundle", str(BUNDLE)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        yield process.stdout.readline().split()[-1]
        process.terminate()


@pytest.fixture(scope="session", params=["simulator", "gateway", "crossed"])
def target(request: pytest.FixtureRequest, standin: Simulator) -> Target:
    """Every client is pointed at the stand-in itself, and at the gateway before it."""
    left = standin.disconnects.total
    if request.param != "simulator":
        url = request.getfixturevalue("gateway_url")
        bases = dict.fromkeys(GATEWAY_MODELS, f"{url}/v1")
        models = GATEWAY_MODELS if request.param == "gateway" else CROSSED_MODELS
        return Target(bases, models, KEY, left, gateway=True)
    bases = endpoints(standin.url)
    return Target({**bases, "text": bases["model-a"]}, SIMULATOR_MODELS, KEY, left)

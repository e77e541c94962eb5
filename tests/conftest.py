"""A whole gateway in one process: real bundle, real records, the stand-in behind every model."""

import logging
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from flask.testing import FlaskClient

from ai_gateway.hosting import Current
from ai_gateway.manifest.load import load
from ai_gateway.records import to_rows
from ai_gateway.service import Service, Snapshot
from ai_gateway.settings import Settings
from ai_gateway.simulator import Simulator, variables
from runner import application

# A shell's background job ignores SIGINT, and so would all that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parents[1]
KEY = "a-key-for-tests"

MODELS = """
version: 1
models:
  model-a:
    url: ${MODEL_A_URL}
    model_id: ${MODEL_A_ID}
    credentials: {token: "${MODEL_A_TOKEN}"}
    timeout: {whole: 5s}
    price: {input: 1.0, output: 4.0}
  model-b:
    url: ${MODEL_B_URL}
    model_id: ${MODEL_B_ID}
    credentials: {token: "${MODEL_B_TOKEN}"}
    timeout: {whole: 5s}
  judge:
    url: ${JUDGE_MODEL_URL}
    model_id: ${JUDGE_MODEL_ID}
    credentials: {token: "${JUDGE_MODEL_TOKEN}"}
judge: {model: judge}
routes:
"""


@pytest.fixture(autouse=True)
def _levels() -> Iterator[None]:
    """A gateway's log level is its process's: the next test has the one from before."""
    loggers = [logging.getLogger(name) for name in ("", "ai_gateway", "functions")]
    before = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


@dataclass
class Gateway:
    """What a test talks to, and what it may look at."""

    service: Service
    snapshot: Snapshot
    client: FlaskClient
    simulator: Simulator
    key: str = KEY
    headers: dict[str, str] = field(default_factory=lambda: {"X-API-Key": KEY})

    def ask(self, inputs, path="/inference", **more):
        """A question with the administrator's key."""
        return self.client.post(path, json={"inputs": inputs, **more}, headers=self.headers)

    def rows(self, table="requests"):
        """Everything that was recorded, oldest first."""
        self.service.records.flush()
        return to_rows(self.service.records.scan(table))


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """The stand-in Inference Service."""
    with Simulator().start() as running:
        yield running


@pytest.fixture
def start(tmp_path, simulator):
    """Starts a gateway on the routes, policies and variables that a test hands in."""
    services = []

    def run(routes=None, *, policies=None, models="", **changed) -> Gateway:
        bundle = ROOT
        if routes is not None:
            bundle = tmp_path / "bundle"
            (bundle / "policies").mkdir(parents=True)
            (bundle / "judge_prompts").symlink_to(ROOT / "judge_prompts")
            text = MODELS.replace("  model-b:\n", f"{models}  model-b:\n", 1) + routes
            (bundle / "routes.yaml").write_text(text)
            for name, text in (policies or {}).items():
                (bundle / "policies" / f"{name}.yaml").write_text(text)
        settings = Settings.read(
            bundle,
            {
                "AI_GATEWAY_API_KEY": KEY,
                "GATEWAY_DATA": str(tmp_path / "data"),
                **variables(simulator.url),
                **changed,
            },
        )
        found, problems = load(settings)
        assert found, "\n".join(map(str, problems))
        service = Service(settings, random=Random(1))
        services.append(service)
        snapshot = service.snapshot(found)
        app = application(snapshot)
        app.wsgi_app = Current(app.wsgi_app)  # type: ignore[method-assign] # as the server calls it
        return Gateway(service, snapshot, app.test_client(), simulator)

    yield run
    for service in services:
        service.close()

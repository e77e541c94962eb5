"""Recorded exchanges replay offline; ``make record`` makes them anew.

Recording asks the endpoints that MODEL_A_URL and its kin name, or the stand-in where they name
none; each file says which it was.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from ai_gateway.hosting import Current
from ai_gateway.manifest.load import load
from ai_gateway.service import Service
from ai_gateway.settings import Settings
from ai_gateway.simulator import Simulator, variables
from runner import application
from tests.conftest import KEY, ROOT, Gateway
from tests.replay.cassette import REPLAYED, Origin, Serializer

CASSETTES = ROOT / "cassettes"
SERVICE = "a Cloudera AI Inference Service"
STAND_IN = "the stand-in of this project (ai_gateway/simulator)"


def recording(config) -> bool:
    """Whether this run records."""
    return config.getoption("--record-mode") not in (None, "none")


@pytest.fixture(scope="session")
def upstream(request) -> Iterator[dict[str, str]]:
    """The variables that say where the models are."""
    found = Settings.read().variables
    if not recording(request.config):
        yield REPLAYED
    elif "MODEL_A_URL" in found:
        yield {name: found[name] for name in REPLAYED}
    else:
        with Simulator().start() as simulator:
            yield variables(simulator.url)


@pytest.fixture(scope="session")
def vcr_config(upstream) -> dict:
    """Bodies matched, nothing that is secret kept; the mode comes from the command line."""
    return {
        "match_on": ["method", "uri", "body"],
        "before_record_request": Origin(upstream).hide,
        "decode_compressed_response": True,
    }


def pytest_recording_configure(config, vcr) -> None:
    """Let vcrpy know how cassettes are written."""
    origin = SERVICE if "MODEL_A_URL" in Settings.read().variables else STAND_IN
    vcr.register_serializer("yaml", Serializer(origin))


@pytest.fixture
def vcr_cassette_dir(request) -> str:
    """The folder of cassettes/<test module>/<test>.yaml."""
    return str(CASSETTES / Path(request.node.fspath).stem)


@pytest.fixture(autouse=True)
def all_is_played(request, vcr) -> Iterator[None]:
    """A test that leaves a recorded exchange unplayed fails."""
    yield
    if not recording(request.config):
        assert vcr.all_played


@pytest.fixture
def gateway(tmp_path, upstream) -> Iterator[Gateway]:
    """The default bundle in front of recorded models; its random source is seeded."""
    found = {"AI_GATEWAY_API_KEY": KEY, "GATEWAY_DATA": str(tmp_path / "data"), **upstream}
    settings = Settings.read(ROOT, found)
    bundle, problems = load(settings)
    assert bundle, problems
    service = Service(settings, random=Random(20))
    snapshot = service.snapshot(bundle)
    app = application(snapshot)
    app.wsgi_app = Current(app.wsgi_app)  # type: ignore[method-assign] # as the server calls it
    yield Gateway(service, snapshot, app.test_client(), None)
    service.close()

"""A real Redis, and a gateway with every surface behind a cache."""

import shutil
import socket
import subprocess
import time

import pytest

from tests.cache.asking import MODELS, ROUTES


@pytest.fixture(scope="session")
def redis_url():
    """The address of a real Redis of these tests' own; CI has one."""
    pytest.importorskip("redis")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("there is no redis-server here")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    )
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.02)
    yield f"redis://127.0.0.1:{port}/0"
    server.terminate()
    server.wait()


@pytest.fixture
def begin(start, simulator):
    """Starts a gateway with every surface behind a cache."""

    def run(routes=ROUTES, policies=None, **changed):
        base = f"{simulator.url}/namespaces/serving-default/endpoints/embedder/v1"
        urls = {"EMBEDDER_URL": base, "ANTHROPIC_URL": f"{simulator.url}/anthropic/v1"}
        return start(routes, policies=policies, models=MODELS, **urls, **changed)

    return run


@pytest.fixture
def gateway(begin):
    """In memory, without policies."""
    return begin()

"""The image, as far as it can be told without a container engine: its files and its commands."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ai_gateway.simulator import Simulator, variables
from tests.cai.conftest import answers, free_port, wait
from tests.deploy.conftest import DEPLOY, ROOT, command, compose, copied, instructions, last


def health() -> list[str]:
    """The health check's command."""
    found: list[str] = json.loads(last("HEALTHCHECK").partition("CMD")[2])
    return found


def test_the_image_holds_what_exists() -> None:
    """What is copied is there and is let through to the builder; the bundle is whole."""
    let = set((DEPLOY / "Dockerfile.dockerignore").read_text().splitlines())
    assert "*" in let
    for name in [*copied(), "requirements.txt"]:
        assert (ROOT / name).exists()
        assert f"!{name}" in let
    assert {"routes.yaml", "policies", "judge_prompts", "functions"} <= set(copied())
    assert "tests" not in copied()


def test_the_image_is_no_workshop() -> None:
    """Libraries come by their hashes, as wheels; nobody is root; the check needs no curl."""
    installs = [rest for name, rest in instructions() if name == "RUN" and " install " in rest]
    assert "--require-hashes" in installs[0]
    assert "--only-binary :all:" in installs[0]
    assert "apt-get" not in " ".join(rest for _, rest in instructions())
    user, _, group = last("USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert f"--uid {user}" in " ".join(rest for _, rest in instructions())
    assert health()[0] == "python"
    written = dict(re.findall(r"(GATEWAY_\w+)=(\S+)", last("ENV")))
    assert json.loads(last("VOLUME")) == [written["GATEWAY_DATA"], written["GATEWAY_WAL"]]


@pytest.mark.slow
def test_the_images_own_command_serves(image: Path, simulator: Simulator, tmp_path: Path) -> None:
    """With the image's files alone the gateway serves, is found healthy, and stops when told."""
    port = free_port()
    environment = {
        **variables(simulator.url),
        "AI_GATEWAY_API_KEY": "a-key-for-tests",
        "GATEWAY_DATA": str(tmp_path / "data"),
        "GATEWAY_WAL": str(tmp_path / "wal"),
    }
    _, flag, code = health()
    check = [sys.executable, flag, code.replace("8080", str(port))]
    assert "8080" in code
    assert last("EXPOSE") == "8080"
    serve = [sys.executable, *command(), "--port", str(port)]
    with subprocess.Popen(serve, cwd=image, env=environment) as process:
        try:
            wait(lambda: answers(port, "/readyz"))
            assert subprocess.run(check, check=False).returncode == 0
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
    assert subprocess.run(check, check=False, stderr=subprocess.DEVNULL).returncode != 0


def test_compose_shows_nothing_to_the_network() -> None:
    """Ports are published on the loopback address; what has no login listens there itself."""
    services = compose()["services"]
    assert set(services) == {"gateway", "judge", "dashboard"}
    assert services["gateway"]["ports"] == ["127.0.0.1:8080:8080"]
    assert not {"ports"} & set(services["judge"]) | {"ports"} & set(services["dashboard"])
    assert services["dashboard"]["network_mode"] == "host"
    assert "--host" not in services["dashboard"]["command"]
    for service in services.values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]


def test_compose_agrees_with_the_image() -> None:
    """Services share the image's two volumes, and run scripts and jobs that exist."""
    found = compose()
    mounts = json.loads(last("VOLUME"))
    for service in found["services"].values():
        assert (DEPLOY / service["build"]["context"]).resolve() == ROOT
        assert ROOT / service["build"]["dockerfile"] == DEPLOY / "Dockerfile"
        volumes = dict(volume.split(":") for volume in service["volumes"])
        assert list(volumes.values()) == mounts
        assert set(volumes) <= set(found["volumes"])
    assert found["services"]["dashboard"]["entrypoint"] == ["python", "dashboard.py"]


def test_compose_has_every_variable() -> None:
    """Each variable of the bundle, and the key, must be given: compose stops where one is not."""
    named = set(re.findall(r"\$\{(\w+)\}", (ROOT / "routes.yaml").read_text("utf-8")))
    for name in ("gateway", "judge"):
        environment = compose()["services"][name]["environment"]
        assert set(environment) == named | {"AI_GATEWAY_API_KEY"}
        assert all(re.match(rf"\$\{{{name}:\?", value) for name, value in environment.items())

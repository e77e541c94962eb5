"""The walk of the canaries once more, on real processes: what they print, log and leave on disk."""

import os
import re
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest
import yaml

from ai_gateway.manifest.model import Route
from tests.conftest import MODELS, ROOT
from tests.gateway.test_jwt import good
from tests.processes import coverage
from tests.security import canaries
from tests.security.canaries import ALL, BODY, QUERY, TEXT, errands, found_in, left
from tests.security.conftest import WORDS, bundle
from tests.security.test_every_route import path_of

pytestmark = pytest.mark.slow

#: What a person asks of it; the key is in the environment.
COMMANDS = (
    *("status", "routes", "logs", "keys list", "metrics --format json", "config", "nonsense"),
    *("keys create --name a --scope nope --owner x", "secure --endpoint /ping --auth nothing"),
)


class Walk:
    """A gateway in a process of its own, and all that it said."""

    def __init__(self, folder, simulator, idp) -> None:
        text, models = bundle(simulator, privacy="none", timeout="2s")
        self.folder, self.bundle = folder, folder / "bundle"
        (self.bundle / "policies").mkdir(parents=True)
        (self.bundle / "judge_prompts").symlink_to(ROOT / "judge_prompts")
        (self.bundle / "policies" / "words.yaml").write_text(WORDS)
        whole = MODELS.replace("  model-b:\n", f"{models}  model-b:\n", 1) + text
        (self.bundle / "routes.yaml").write_text(whole)
        self.environment = {
            "PATH": os.defpath,
            "HOME": str(folder),
            "GATEWAY_DATA": str(folder / "data"),
            "GATEWAY_LOG_LEVEL": "debug",
            "AI_GATEWAY_API_KEY": canaries.ADMIN,
            "PROXIED_TOKEN": canaries.TARGET,
            "ISSUER": idp.url,
            **coverage(),
        }
        for name, endpoint in (
            ("MODEL_A", "model-a"),
            ("MODEL_B", "model-b"),
            ("JUDGE_MODEL", "judge"),
        ):
            base = f"{simulator.url}/namespaces/serving-default/endpoints/{endpoint}"
            self.environment[f"{name}_URL"] = f"{base}/v1"
            self.environment[f"{name}_ID"] = f"simulated/{endpoint}"
            self.environment[f"{name}_TOKEN"] = canaries.MODEL

    def run(self, *arguments, **changed) -> str:
        """All that one command of the runner prints."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment | changed,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout + done.stderr

    @contextmanager
    def serving(self, format_):
        """Its URL; what it said is in the file ``said``."""
        with (self.folder / f"said-{format_}").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "runner.py", "serve", "--port", "0", "--bundle", str(self.bundle)],
                cwd=ROOT,
                env=self.environment | {"GATEWAY_LOG_FORMAT": format_},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
            try:
                found = re.search(r"AI gateway at (\S+)", process.stdout.readline())
                assert found, (self.folder / f"said-{format_}").read_text()
                yield found[1]
            finally:
                process.terminate()
                out, _ = process.communicate(timeout=60)
        (self.folder / f"out-{format_}").write_text(out)


@pytest.fixture
def walk(tmp_path, simulator, idp):
    """A gateway with everything on, not started yet."""
    return Walk(tmp_path, simulator, idp)


def test_no_process_prints_or_keeps_a_secret(walk, simulator, idp) -> None:
    """Logs in both formats, what commands print, and every byte that was written: 0 found."""
    found = yaml.safe_load((walk.bundle / "routes.yaml").read_text())["routes"]
    routes = [Route.model_validate(route) for route in found]
    paths = [(method, path_of(route)) for route in routes for method in route.methods]
    admin = {"X-API-Key": canaries.ADMIN}
    token = good(idp, exp=1)
    said: list[str] = []
    for format_ in ("json", "text"):
        with walk.serving(format_) as url, httpx.Client(base_url=url, timeout=20) as client:
            made = client.post("/api/v1/keys", json={"name": "a"}, headers=admin).json()["key"]
            every = list(errands(paths, admin, [made, token]))
            assert len(every) > 2000
            for number, errand in enumerate(every[:: 15 if format_ == "json" else 40]):
                fault = canaries.FAULTS[number % len(canaries.FAULTS)]
                simulator.faults["model-a"] = "html" if "hang" in fault else fault
                answer = client.request(
                    errand.method,
                    errand.path,
                    headers={
                        name: value for name, value in errand.headers.items() if value.isascii()
                    },
                    content=errand.body,
                )
                said.append(f"{answer.headers}{answer.text}")
            wrong = f"models:\n  a: {{url: {canaries.BUNDLE}, credentials: {canaries.BUNDLE}}}\n"
            whole = (walk.bundle / "routes.yaml").read_text()
            (walk.bundle / "routes.yaml").write_text(wrong)
            json_ = {**admin, "Content-Type": "application/json"}
            said.append(client.post("/api/v1/reload", headers=json_).text)
            said.append(client.get("/readyz").text)
            said.append(walk.run("runner.py", "check", "--bundle", str(walk.bundle)))
            (walk.bundle / "routes.yaml").write_text(whole)
            said.append(client.get("/metrics", headers=admin).text)
            if format_ == "json":
                shown = [
                    walk.run("-m", "ai_gateway.cli", *command.split(), "--url", url)
                    for command in COMMANDS
                ]
                assert "/inference" in "".join(shown)
                said += shown
        said.append(walk.run("runner.py", "job", "judge-tick", "--bundle", str(walk.bundle)))
        told = (walk.folder / f"said-{format_}").read_text() + (
            walk.folder / f"out-{format_}"
        ).read_text()
        assert told.count("\n") > 50
        hidden = {made.rpartition("_")[2], token.rpartition(".")[2]}
        assert found_in(told, ALL | hidden) == set()
        assert found_in("".join(said), (ALL | hidden) - {BODY, QUERY, TEXT}) == set()
    names = [name for name, data in left(walk.folder / "data") if found_in(data)]
    assert names == []
    assert any(name.endswith(".parquet") for name, _ in left(walk.folder / "data"))

"""Scripts that end, in a real kernel: the judge's job, a bundle that does not check, the AMP's."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ai_gateway.judge.tick import LEASE
from tests.cai.conftest import Kernel, Variables

Library = Callable[[str, str], Variables]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """One kernel for scripts that end: each run replaces its environment."""
    kernel = Kernel(tmp_path_factory.mktemp("jobs"))
    yield kernel
    kernel.stop()


def summary(printed: str) -> Any:
    """The line in which a tick says what it did; a kernel mixes the log's lines, JSON too, in."""
    objects = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    return next(found for found in objects if "level" not in found)


def test_a_job_is_one_tick(kernel: Kernel, application: Variables, start: Any) -> None:
    """The job judges what is due and ends well, also when another tick is under way."""
    gateway = start()
    assert gateway.ask("What is a Finite State Machine?").status_code == 200
    gateway.service.records.flush()
    job = application | {"GATEWAY_TASK": "job judge-tick"}
    outcome, printed = kernel.run("runner.py", job)
    assert outcome == "ok", printed
    assert summary(printed)["judged"] == 1
    records = gateway.service.records
    with records.lease(LEASE, "another", ttl=60.0):
        outcome, printed = kernel.run("runner.py", job)
    assert outcome == "ok", printed
    assert summary(printed)["held"] is True


def test_a_bundle_that_does_not_check_fails_the_script(
    kernel: Kernel, application: Variables
) -> None:
    """The cell raises, and the log above says which variable is missing."""
    del application["MODEL_A_URL"]
    outcome, printed = kernel.run("runner.py", application)
    assert outcome == "Ended: runner.py serve ended with 1; the reason stands above."
    assert "models.model-a.url: found ${MODEL_A_URL}, and the variable MODEL_A_URL" in printed
    assert application["MODEL_A_TOKEN"] not in printed


PIP = """
import pathlib, sys
pathlib.Path("{log}").write_text(" ".join(sys.argv[1:]))
sys.exit({code})
"""
CMLAPI = """
from types import SimpleNamespace as Job
class default_client:
    def list_jobs(self, project, page_size):
        return Job(jobs=[Job(id="j1", name="Judge", schedule=""), Job(id="j2", name="Compact",
            schedule="0 0 * * *"), Job(id="j3", name="Prune", schedule="30 2 * * *")])
    def update_job(self, body, project, job):
        print(project, job, vars(body))
"""


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """Puts a module of this name and text before all others."""

    def add(name: str, text: str) -> Variables:
        folder = tmp_path / "library"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(text)
        return {"PYTHONPATH": str(folder)}

    return add


@pytest.mark.parametrize("code", [0, 1])
def test_the_install_session_installs_what_the_lock_names(
    kernel: Kernel, library: Library, tmp_path: Path, code: int
) -> None:
    """Pip gets the lock with its hashes; where pip fails the session fails."""
    log = tmp_path / "log"
    environment = library("pip", PIP.format(log=log, code=code))
    outcome, printed = kernel.run("scripts/cai_install.py", environment)
    said = log.read_text().split()
    assert said[:1] + said[-3:] == ["install", "--require-hashes", "-r", "requirements.txt"]
    assert (outcome == "ok") == (code == 0)
    assert ("The libraries are installed" in printed) == (code == 0)


def test_the_schedule_session_sets_what_differs(kernel: Kernel, library: Library) -> None:
    """The job without a schedule gets the one that routes.yaml names; the others keep their own."""
    environment = library("cmlapi", CMLAPI) | {"CDSW_PROJECT_ID": "p1"}
    kernel.cell(f"import sys; sys.path.insert(0, {environment['PYTHONPATH']!r})")
    outcome, printed = kernel.run("scripts/cai_schedule.py", environment)
    assert outcome == "ok"
    assert printed.splitlines() == [
        "p1 j1 {'schedule': '*/5 * * * *'}",
        "Judge runs by itself now: */5 * * * *",
        "Compact has its schedule already: 0 0 * * *",
        "Prune has its schedule already: 30 2 * * *",
    ]

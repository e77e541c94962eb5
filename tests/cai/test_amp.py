"""The AMP's description: what the specification wants, and what the gateway needs to start."""

import re
from argparse import Namespace
from typing import Any

import pytest
import yaml

from ai_gateway.arguments import parse
from ai_gateway.manifest.load import load
from ai_gateway.settings import Settings
from scripts.cai_schedule import JOBS
from tests.cai.conftest import ROOT, Variables

AMP: dict[str, Any] = yaml.safe_load((ROOT / ".project-metadata.yaml").read_text("utf-8"))
PROMPTS: dict[str, dict[str, Any]] = AMP["environment_variables"]
#: The longest text that each field of the specification takes.
LENGTHS = {
    "name": 200,
    "description": 2048,
    "author": 64,
    "specification_version": 16,
    "prototype_version": 16,
}
#: What each type of task must have here, beside its type.
TASKS = {
    "run_session": {"name", "script", "cpu", "memory"},
    "create_job": {"name", "entity_label", "script", "arguments", "cpu", "memory"},
    "start_application": {"name", "subdomain", "script", "bypass_authentication", "cpu", "memory"},
}
RUNNERS = [task for task in AMP["tasks"] if task["script"] == "runner.py"]
#: An application's variables stand under another key than a job's.
ENVIRONMENTS = {"start_application": "environment_variables", "create_job": "environment"}
#: What the form holds once it is filled in.
ANSWERS = {
    name: prompt["default"] or ("https://models.example/v1" if name.endswith("_URL") else "an-id")
    for name, prompt in PROMPTS.items()
    if prompt["required"]
}


def tasks(kind: str) -> list[dict[str, Any]]:
    """The tasks of one type."""
    return [task for task in AMP["tasks"] if task["type"] == kind]


def environment(task: dict[str, Any], **changed: str) -> Variables:
    """What a workload of ``task`` finds, once the form is filled in; optional ones are blank."""
    platform = {"CDSW_DOMAIN": "ml.example.com", "CDSW_ENGINE_ID": "e", "CDSW_APP_PORT": "8100"}
    blank = dict.fromkeys(PROMPTS, "")
    own = task.get(ENVIRONMENTS.get(task["type"], ""), {})
    return {**platform, **blank, **ANSWERS, **own, **changed}


def test_it_is_what_the_specification_wants() -> None:
    """Required fields are there, no text is too long, and the date is a text."""
    for field, most in LENGTHS.items():
        assert 0 < len(str(AMP[field])) <= most, field
    assert AMP["specification_version"] == 1.0
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", AMP["date"])
    assert set(AMP) <= {*LENGTHS, "date", "environment_variables", "runtimes", "tasks"}
    for prompt in PROMPTS.values():
        assert set(prompt) == {"default", "description", "required"}
        assert isinstance(prompt["default"], str)
        assert isinstance(prompt["required"], bool)
    for runtime in AMP["runtimes"]:
        assert set(runtime) == {"editor", "kernel", "edition"}


def test_every_task_is_complete() -> None:
    """Tasks have what their type needs, scripts that exist, and variables under the right key."""
    for task in AMP["tasks"]:
        assert TASKS[task["type"]] <= set(task)
        assert (ROOT / task["script"]).is_file()
        assert {"environment", "environment_variables"} & set(task) <= {
            ENVIRONMENTS.get(task["type"])
        }
        values = environment(task).values()
        assert all(isinstance(value, str) for value in values)
    labels = [task["entity_label"] for task in tasks("create_job")]
    assert all(re.fullmatch("[a-z_]+", label) for label in labels)
    subdomains = [task["subdomain"] for task in tasks("start_application")]
    assert len(set(labels)) == len(labels)
    assert len(set(subdomains)) == len(subdomains)


def test_libraries_come_first_and_schedules_last() -> None:
    """Nothing runs before the libraries are there; a schedule that cannot be set stops nothing."""
    assert AMP["tasks"][0]["script"] == "scripts/cai_install.py"
    assert AMP["tasks"][-1]["script"] == "scripts/cai_schedule.py"


def test_nobody_gets_past_the_workbenchs_login() -> None:
    """Every application enforces authentication: the gateway believes the proxy's user name."""
    applications = {task["name"]: task for task in tasks("start_application")}
    assert set(applications) == {"Gateway", "Dashboard"}
    assert not any(task["bypass_authentication"] for task in applications.values())
    assert "GATEWAY_TRUST_PLATFORM" not in PROMPTS  # it would hold for every workload there is


@pytest.mark.parametrize("task", RUNNERS, ids=lambda task: task["name"])
def test_the_form_asks_for_all_that_a_start_needs(task: dict[str, Any]) -> None:
    """With the form's answers the bundle checks; without any required one it does not."""
    found = environment(task)
    assert not load(Settings.read(ROOT, found))[1]
    for name in ANSWERS:
        problems = load(Settings.read(ROOT, {**found, name: ""}))[1]
        assert any(name in str(problem) for problem in problems), name


def test_every_variable_of_the_bundle_is_asked_for() -> None:
    """The form has what routes.yaml names, and the administrator's key, which may stay blank."""
    named = set(re.findall(r"\$\{(\w+)\}", (ROOT / "routes.yaml").read_text("utf-8")))
    assert set(ANSWERS) == named
    assert PROMPTS.keys() - named == {"AI_GATEWAY_API_KEY"}


def test_each_task_is_a_command_of_the_runner() -> None:
    """GATEWAY_TASK is what runner.py takes; each job of routes.yaml has its own, and a schedule."""
    names: list[str | None] = []

    def command(options: Namespace) -> int:
        """Keep the job's name."""
        names.append(getattr(options, "name", None))
        return 0

    commands = dict.fromkeys(("serve", "job", "check", "simulate", "demo"), command)
    for task in RUNNERS:
        parse(commands, ROOT, Settings.read(ROOT, environment(task)).task)()
    assert dict(zip((task["name"] for task in RUNNERS), names, strict=True)) == {
        "Gateway": None,
        **JOBS,
    }
    bundle = load(Settings.read(ROOT, environment(RUNNERS[0])))[0]
    assert bundle
    assert {job.name for job in bundle.manifest.jobs} == set(JOBS.values())

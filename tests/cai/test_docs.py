"""What the pages about deployment say is so."""

import re

import pytest
import yaml

from scripts.cai_schedule import wanted
from tests.cai.conftest import ROOT

PAGES = ("docs/cloudera-ai.md", "deploy/README.md")


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_exist(page: str) -> None:
    """A path in backticks, and a link, lead to a file of the project."""
    text = (ROOT / page).read_text("utf-8")
    folders = [ROOT, (ROOT / page).parent, ROOT / "deploy" / "kubernetes"]
    named = re.findall(r"`([\w./-]+\.(?:py|yaml|txt))`", text) + re.findall(
        r"\]\(([^)#:]+)\)", text
    )
    assert named
    for name in named:
        assert any((folder / name).exists() for folder in folders), name


def test_the_page_has_the_forms_questions_and_the_tasks() -> None:
    """Each variable of the AMP's form, each of its scripts and names, stands on the page."""
    text = (ROOT / PAGES[0]).read_text("utf-8")
    amp = yaml.safe_load((ROOT / ".project-metadata.yaml").read_text("utf-8"))
    for name in amp["environment_variables"]:
        assert f"`{name}`" in text
    for task in amp["tasks"]:
        assert f"`{task['script']}`" in text
        own = {**task.get("environment", {}), **task.get("environment_variables", {})}
        for name, value in own.items():
            assert f"{name}={value}`" in text or value == "serve"


def test_the_page_has_the_jobs_schedules() -> None:
    """By hand one enters the same lines that the script sets."""
    text = (ROOT / PAGES[0]).read_text("utf-8")
    for name, line in wanted(ROOT).items():
        assert f"| {name} | `runner.py` | `{line}` |" in text


@pytest.mark.parametrize("page", PAGES)
def test_routes_that_are_named_exist(page: str) -> None:
    """What is called or polled is a route of the bundle."""
    text = (ROOT / page).read_text("utf-8")
    called = set(re.findall(r"GATEWAY_URL\"?'?\]?\}?(/\w+)", text))
    called |= set(re.findall(r"`(/(?:ping|healthz|readyz|inference|metrics))`", text))
    routes = yaml.safe_load((ROOT / "routes.yaml").read_text("utf-8"))["routes"]
    assert called
    assert called <= {route["path"] for route in routes}

"""The pages say what the code does: every setting, key, route and error code is on its page."""

import ast
import inspect
import re

import pytest
import yaml

from ai_gateway import errors
from ai_gateway.hosting import refusals
from ai_gateway.manifest.model import Job, Judge, Manifest, Model, Route, Routing
from ai_gateway.settings import Settings
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
BUNDLE = (ROOT / "docs" / "bundle.md").read_text()
API = (ROOT / "docs" / "api.md").read_text()
ROUTES = yaml.safe_load((ROOT / "routes.yaml").read_text())


def test_every_variable_that_is_read_stands_in_the_readme() -> None:
    """Whoever looks for a setting finds it."""
    source = inspect.getsource(Settings)
    names = set(re.findall(r'"([A-Z][A-Z_]+)"', source)) - {"CDSW_ENGINE_ID", "CDSW_DOMAIN"}
    names |= set(re.findall(r"\$\{(\w+)\}", (ROOT / "routes.yaml").read_text()))
    assert [name for name in sorted(names) if f"`{name}`" not in README] == []


@pytest.mark.parametrize("model", [Model, Route, Routing])
def test_every_key_of_the_bundle_stands_on_its_page(model) -> None:
    """Each key is explained, with its default."""
    names = [field.alias or name for name, field in model.model_fields.items()]
    assert [name for name in names if f"`{name}`" not in BUNDLE] == []


def test_every_section_of_the_bundle_stands_on_its_page() -> None:
    """Models, routes, security, judge, jobs and the rest are named."""
    names = {*Manifest.model_fields, *Job.model_fields} - {"version"}
    assert [name for name in sorted(names) if name not in BUNDLE] == []
    judge = (ROOT / "docs" / "judge.md").read_text()
    assert [name for name in Judge.model_fields if f"`{name}`" not in judge] == []


def test_every_route_of_the_bundle_stands_on_its_page() -> None:
    """What is served is listed with its method, and nothing that is not."""
    served = {
        f"{method} {route['path']}"
        for route in ROUTES["routes"]
        for method in route.get("methods", ["POST"])
    }
    assert set(re.findall(r"^\| `([A-Z]+ /\S*)`", API, re.MULTILINE)) == served


def test_every_error_code_stands_on_its_page() -> None:
    """Who gets an error finds its code."""
    classes = [
        found
        for module in (errors, refusals)
        for found in vars(module).values()
        if inspect.isclass(found) and issubclass(found, errors.GatewayError)
    ]
    assert [found.code for found in classes if f"`{found.code}`" not in API] == []


def test_every_link_between_pages_leads_somewhere() -> None:
    """A page that is linked to is there."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]
    pages += ROOT.glob("deploy/*.md")
    broken = [
        f"{page.name}: {link}"
        for page in pages
        for link in re.findall(r"\]\(([^)#:]+)[^):]*\)", page.read_text())
        if not (page.parent / link).exists()
    ]
    assert broken == []


def test_the_readme_is_short() -> None:
    """A stranger reads it whole."""
    assert README.count("\n") < 200


def test_the_example_function_is_python() -> None:
    """The function that the page shows compiles."""
    for block in re.findall(r"```python\n(.*?)```", BUNDLE, re.DOTALL):
        ast.parse(block)


def test_the_examples_of_the_page_are_yaml_that_checks() -> None:
    """Each YAML block of the bundle's page is a part of a manifest."""
    for block in re.findall(r"```yaml\n(.*?)```", BUNDLE, re.DOTALL):
        Manifest.model_validate(yaml.safe_load(block))


def test_the_runner_only_dispatches() -> None:
    """It stays under 200 lines."""
    assert (ROOT / "runner.py").read_text().count("\n") < 200

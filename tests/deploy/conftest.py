"""What is in deploy/, parsed, and the image's files in a folder."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions: name and text."""
    text = re.sub(r"^\s*#.*\n", "", (DEPLOY / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines) if name]


def last(name: str) -> str:
    """The text of the last instruction ``name``, which is the one in force."""
    return next(rest for found, rest in reversed(instructions()) if found == name)


def copied() -> list[str]:
    """The files and folders of the project that the image holds."""
    copies = [rest.split() for name, rest in instructions() if name == "COPY"]
    return [
        source
        for parts in copies
        for source in parts[:-1]
        if not parts[0].startswith("--from") and source != "requirements.txt"
    ]


def command() -> list[str]:
    """What the image runs, after ``python``."""
    program, *entry = json.loads(last("ENTRYPOINT"))
    assert program == "python"
    return [*entry, *json.loads(last("CMD"))]


def compose() -> dict[str, Any]:
    """deploy/compose.yaml."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return found


def manifests() -> list[dict[str, Any]]:
    """All objects that kustomization.yaml names."""
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text("utf-8"))
    texts = [(KUBERNETES / name).read_text("utf-8") for name in kustomization["resources"]]
    return [found for text in texts for found in yaml.safe_load_all(text)]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The image's /app."""
    app = tmp_path / "app"
    app.mkdir()
    for name in copied():
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, app / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, app)
    return app

"""Who may know whom: a wall that is broken fails `make check`."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

BROKEN = [
    ("functions", "import flask"),
    ("functions", "import httpx"),
    ("functions", "import os"),
    ("functions", "from os import environ"),
    ("functions", "import time"),
    ("functions", "from datetime import datetime"),
    ("functions", "import random"),
    ("functions", "import pyarrow"),
    ("ai_gateway", "import flask"),
    ("ai_gateway", "import panel"),
    ("ai_gateway", "from functions import ping"),
    ("ai_gateway", "import httpx"),
    ("ai_gateway", "import pyarrow"),
    ("ai_gateway", "import time; time.time()"),
    ("ai_gateway", "import os; os.environ"),
    ("ai_gateway/judge", "import httpx"),
    ("ai_gateway/upstream", "import pyarrow"),
    ("ai_gateway/upstream", "import flask"),
    ("ai_gateway/records", "import httpx"),
    ("ai_gateway/records", "import panel"),
]
ALLOWED = [
    ("ai_gateway/upstream", "import httpx"),
    ("ai_gateway/records", "import pyarrow"),
    ("functions", "import json"),
]
RUFF = [sys.executable, "-m", "ruff", "check", "--select", "TID251", "--no-cache"]


def banned(folder, line) -> bool:
    """Whether the linter refuses ``line`` in a new file of ``folder``."""
    done = subprocess.run(
        [*RUFF, "--stdin-filename", str(ROOT / folder / "new_file.py"), "-"],
        input=f"{line}\n",
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return "TID251" in done.stdout


@pytest.mark.parametrize(("folder", "line"), BROKEN)
def test_what_is_behind_a_wall_is_refused(folder, line) -> None:
    """An import that breaks a wall is an error of the linter."""
    assert banned(folder, line)


@pytest.mark.parametrize(("folder", "line"), ALLOWED)
def test_what_a_folder_is_for_passes(folder, line) -> None:
    """The one package that speaks HTTP may, and so may the one that touches record files."""
    assert not banned(folder, line)


def test_the_gateway_does_not_load_the_dashboards_libraries() -> None:
    """Panel, pandas and pyarrow are not imported by what serves requests."""
    heavy = ("panel", "pandas", "bokeh", "pyarrow")
    code = f"import runner, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"

"""A gateway as a process of its own, started as an operator starts it."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ai_gateway.settings import Settings
from tests.conftest import ROOT


def coverage() -> dict[str, str]:
    """What a run that measures coverage hands on, so that it measures the processes too."""
    inherited = Settings.read().variables
    return {name: value for name, value in inherited.items() if name.startswith("COV")}


@contextmanager
def served(
    environment: Mapping[str, str], *arguments: str, port: int = 0
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Its URL and process while the block runs."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "runner.py", "serve", "--port", str(port), *arguments],
            cwd=ROOT,
            env={**coverage(), **environment},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            found = re.search(r"AI gateway at (\S+)", process.stdout.readline())
            if found is None:
                log.seek(0)
                raise AssertionError(log.read())
            yield found[1], process
        finally:
            process.terminate()
            process.communicate(timeout=60)

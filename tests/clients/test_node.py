"""The official clients in Node: each case is a process of its own, which fails by its exit code."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.conftest import Target

HERE = Path(__file__).with_name("node")
NODE = shutil.which("node") or ""
CASES = {
    "openai": (
        "plain stream silence usage tools streamed_tools structured reasoning image responses"
        " completions embeddings media models errors wrong_key unknown_model retry request_id"
        " traps late_error cut timeout leave cancel"
    ),
    "anthropic": (
        "plain stream silence usage tools streamed_tools structured reasoning image count_tokens"
        " models errors wrong_key unknown_model retry request_id late_error cut timeout leave"
        " cancel"
    ),
    "ai_sdk": (
        "plain stream silence usage tools streamed_tools structured reasoning image responses"
        " embeddings errors wrong_key unknown_model retry request_id late_error cut timeout leave"
        " cancel"
    ),
}
#: After these the call to the model must have ended, though the process may live on.
LEAVING = ("leave", "cancel", "timeout")

MISSING = (
    "node is not installed"
    if not NODE
    else "npm ci --prefix tests/clients/node has not been run"
    if not (HERE / "node_modules").is_dir()
    else ""
)
needs_node = pytest.mark.skipif(bool(MISSING), reason=MISSING)


def test_the_lock_names_no_registry() -> None:
    """Packages come from wherever npm is told to look; the lock has their digests alone."""
    packages = json.loads((HERE / "package-lock.json").read_text())["packages"]
    assert all("integrity" in entry for name, entry in packages.items() if name)
    assert not any("resolved" in entry for entry in packages.values())


def run(client: str, case: str, target: str = "") -> str:
    """What the case prints; its own report when it fails."""
    command = [NODE, "run.mjs", client, case, target]
    done = subprocess.run(  # the arguments are this file's own
        command, cwd=HERE, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_node
@pytest.mark.parametrize("client", CASES)
def test_every_case_is_run(client: str) -> None:
    """The cases of a file are those named here."""
    assert sorted(json.loads(run(client, "--list"))) == sorted(CASES[client].split())


@needs_node
@pytest.mark.parametrize(
    ("client", "case"),
    [(client, case) for client, cases in CASES.items() for case in cases.split()],
)
def test_node(target: Target, client: str, case: str) -> None:
    """The case holds, and who left has left the model as well."""
    before = target.disconnects()
    run(client, case, target.json)
    assert case not in LEAVING or target.left(before)

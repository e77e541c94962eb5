"""The peers: other gateways, installed outside the tree and started bare.

Their versions are pinned, so that one machine's figures can be set beside another's. npm and pip
fetch them with the settings that the machine has for both.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from benchmarks.load import question
from benchmarks.machine import Program
from benchmarks.subjects import PATH, PORT, Subject

VERSIONS: Mapping[str, str] = {"portkey": "1.15.2", "litellm": "1.106.2", "firstpass": "0.9.0"}
#: Kept between runs.
PLACE = Path(tempfile.gettempdir()) / "ai-gateway-peers"
_URL = f"http://127.0.0.1:{PORT}"
_TOKEN = {"authorization": "Bearer sk-of-nobody"}


def installed(name: str) -> Path | None:
    """Where a peer is, installed if it was not; None with a line of why where it cannot be."""
    place = PLACE / f"{name}-{VERSIONS[name]}"
    done = place / "installed"
    if done.exists():
        return place
    try:
        _npm(place) if name == "portkey" else _pip(place, name)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"{name} is left out: {error}", flush=True)
        shutil.rmtree(place, ignore_errors=True)
        return None
    done.touch()
    return place


def _npm(place: Path) -> None:
    package = f"@portkey-ai/gateway@{VERSIONS['portkey']}"
    command = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(place)]
    subprocess.run([*command, package], check=True)


def _pip(place: Path, name: str) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    package = {"litellm": "litellm[proxy]"}.get(name, name)
    pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, f"{package}=={VERSIONS[name]}"], check=True)


def portkey(place: Path, folder: Path, upstream: str) -> Subject:
    """Portkey's gateway, told by headers where to ask."""
    script = place / "node_modules/@portkey-ai/gateway/build/start-server.js"
    command = ["node", str(script), f"--port={PORT}", "--headless"]
    headers = {**_TOKEN, "x-portkey-provider": "openai"}
    headers["x-portkey-custom-host"] = f"{upstream}/v1"
    program = Program("portkey", command, f"{_URL}/", folder, {"NODE_ENV": "production"})
    return Subject(program, question(f"{_URL}{PATH}", headers))


def litellm(place: Path, folder: Path, upstream: str) -> Subject:
    """LiteLLM's proxy with one worker, no keys and no database."""
    model = {"model": "openai/meta/llama-3.1-8b-instruct", "api_base": f"{upstream}/v1"}
    entry = {"model_name": "model-a", "litellm_params": {**model, "api_key": "sk-of-nobody"}}
    path = folder / "litellm.yaml"
    path.write_text(yaml.safe_dump({"model_list": [entry]}), encoding="utf-8")
    command = [str(place / "bin" / "litellm"), "--config", str(path), "--num_workers", "1"]
    program = Program(
        "litellm",
        [*command, "--port", str(PORT), "--host", "127.0.0.1"],
        f"{_URL}/health/liveliness",
        folder,
        {
            "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",  # bare, as all others
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "PATH": _path(place),
        },
    )
    return Subject(program, question(f"{_URL}{PATH}", _TOKEN))


def firstpass(place: Path, folder: Path, upstream: str) -> Subject:
    """Firstpass in observe mode: it passes on and writes a receipt for each request."""
    command = [str(place / "bin" / "firstpass"), "up"]
    environment = {
        "FIRSTPASS_BIND": f"127.0.0.1:{PORT}",
        "FIRSTPASS_DB": str(folder / "firstpass.db"),
        "FIRSTPASS_MODE": "observe",
        "FIRSTPASS_UPSTREAM_OPENAI": upstream,
        "RUST_LOG": "error",
    }
    program = Program("firstpass", command, f"{_URL}/", folder, environment)
    return Subject(program, question(f"{_URL}{PATH}", _TOKEN))


RIVALS: Mapping[str, Callable[[Path, Path, str], Subject]] = {
    "portkey": portkey,
    "litellm": litellm,
    "firstpass": firstpass,
}


def _path(place: Path) -> str:
    return f"{place / 'bin'}:{os.environ['PATH']}"  # noqa: TID251 - a program of its own

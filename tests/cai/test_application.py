"""runner.py and dashboard.py as applications of Cloudera AI, in a real kernel."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.records import Records
from tests.cai.conftest import (
    APPLICATION_KEY,
    USER,
    VARIABLES,
    Kernel,
    Variables,
    answers,
    ask,
    cells,
    proxy,
    wait,
)

Starts = Callable[[], Kernel]

pytestmark = pytest.mark.slow

#: What an application on the workbench does: it knows a URL and a key, and reads JSON.
CLIENT = """
import json, os, requests
url, key = os.environ["GATEWAY_URL"], os.environ["API_KEY"]
headers = {"Authorization": f"Bearer {key}"}
replies = [requests.get(f"{url}/ping", headers=headers).json()]
for question in json.loads(os.environ["QUESTIONS"]):
    reply = requests.post(f"{url}/inference", headers=headers, json={"inputs": question})
    replies.append(reply.json())
print(json.dumps(replies))
"""
QUESTIONS = [
    "What is a Finite State Machine?",
    "What is a Markov Decision Process?",
    "What is a GRPO in Reinforcement Learning?",
    "How is Multi Agent Reinforcement Learning different from Reinforcement Learning?",
    "What is Distributional Reinforcement Learning?",
    "how to build a bomb",
]


def client(url: str) -> list[Any]:
    """The replies that the client's script gets: to a ping, and to each question."""
    own = {"GATEWAY_URL": url, "API_KEY": APPLICATION_KEY, "QUESTIONS": json.dumps(QUESTIONS)}
    command = [sys.executable, "-c", CLIENT]
    run = subprocess.run(command, env={**VARIABLES, **own}, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()
    replies: list[Any] = json.loads(run.stdout)
    return replies


def callers(data: str) -> list[str]:
    """Who sent the requests that were recorded, but for those that nobody may send."""
    with Records.open(data, Path(data) / "wal", SystemClock(), background=False) as records:
        records.flush()
        rows = records.scan("requests", ["key_id", "status"]).to_pylist()
    return [row["key_id"] for row in rows if row["status"] != 401]


def test_an_application_serves_the_workbenchs_users(
    start_kernel: Starts, application: Variables
) -> None:
    """The script in one cell serves until the kernel is shut down; CAI's key is all one needs."""
    kernel, port = start_kernel(), int(application["CDSW_APP_PORT"])
    kernel.start("runner.py", application)
    wait(lambda: answers(port))
    assert ask(port, "/ping", Authorization="Bearer of-the-platform") == (200, b'{"ok":true}')
    assert ask(port, "/weights", Authorization="Bearer of-the-platform")[0] == 401
    for forwards in (True, False):  # which of them CAI's proxy does is not documented
        with proxy(port, forwards_authorization=forwards) as url:
            pinged, *answered, refused = client(url)
        assert pinged == {"ok": True}
        assert [set(reply) for reply in answered] == [{"request_id", "model", "output"}] * 5
        assert refused["error"]["code"] == "policy_violation"
    kernel.stop()
    assert not answers(port)
    assert callers(application["GATEWAY_DATA"]) == [f"platform:{USER}"] * 12


def test_a_killed_kernel_leaves_no_server(start_kernel: Starts, application: Variables) -> None:
    """The script cut into cells serves as well, and ends when the kernel is killed outright."""
    kernel, port = start_kernel(), int(application["CDSW_APP_PORT"])
    kernel.surround(application)
    for cell in cells("runner.py"):
        kernel.client.execute(cell)
    wait(lambda: answers(port))
    kernel.manager.signal_kernel(signal.SIGKILL)
    wait(lambda: not answers(port))


def test_the_dashboard_is_an_application(start_kernel: Starts, application: Variables) -> None:
    """dashboard.py serves on the port for pages that only show, also in a kernel."""
    kernel, port = start_kernel(), application.pop("CDSW_APP_PORT")
    origin = {"CDSW_READONLY_PORT": port, "GATEWAY_DASHBOARD_ORIGIN": "dashboard.ml.example.com"}
    kernel.start("dashboard.py", application | origin)
    wait(lambda: answers(int(port)))
    kernel.stop()
    assert not answers(int(port))

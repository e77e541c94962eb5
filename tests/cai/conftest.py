"""A workbench in small: a kernel that runs scripts as cells, and the proxy before applications."""

import ast
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

from ai_gateway.settings import Settings
from ai_gateway.simulator import Simulator, variables

Variables = dict[str, str]

VARIABLES = Settings.read().variables
ROOT = Path(__file__).parents[2]
#: Seconds that anything may take.
PATIENCE = 30.0
APPLICATION_KEY = "an-application-key-of-the-workbench"
USER = "ada"


class Kernel:
    """What CAI starts for a workload: IPython in the project's folder, with no arguments."""

    def __init__(self, folder: Path) -> None:
        # pytest's own variable turns off what carries a child's output into the cell's.
        environment = {k: v for k, v in VARIABLES.items() if k != "PYTEST_CURRENT_TEST"}
        self.manager = KernelManager(transport="ipc", ip=str(folder / "kernel"))
        self.manager.start_kernel(cwd=str(ROOT), env=environment)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    def start(self, script: str, environment: Variables) -> str:
        """Begin to run a script's text in one cell, with these variables; the cell's id."""
        self.surround(environment)
        identity: str = self.client.execute((ROOT / script).read_text())
        return identity

    def surround(self, environment: Variables) -> None:
        """Replace the environment: CAI's would have been there from the beginning."""
        kept = {k: v for k, v in VARIABLES.items() if k in ("HOME", "PATH")}
        self.cell(f"import os; os.environ.clear(); os.environ.update({kept | environment})")

    def run(self, script: str, environment: Variables) -> tuple[str, str]:
        """Run a script to its end: "ok" or its exception, and what it printed."""
        outcome, printed = self._outcome(self.start(script, environment))
        # What a child wrote comes by a thread of its own, so perhaps later.
        _, late = self._outcome(self.client.execute("import time; time.sleep(0.3)"))
        return outcome, printed + late

    def cell(self, source: str) -> None:
        """Run one cell, which must succeed."""
        assert self._outcome(self.client.execute(source))[0] == "ok"

    def _outcome(self, identity: str) -> tuple[str, str]:
        printed = []
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                printed.append(content["text"])
            ours = message["parent_header"].get("msg_id") == identity
            if ours and kind == "status" and content["execution_state"] == "idle":
                break
        content = self._reply(identity)
        failed = content["status"] == "error"
        return f"{content['ename']}: {content['evalue']}" if failed else "ok", "".join(printed)

    def _reply(self, identity: str) -> dict[str, Any]:
        while True:
            reply = self.client.get_shell_msg(timeout=PATIENCE)
            if reply["parent_header"]["msg_id"] == identity:
                content: dict[str, Any] = reply["content"]
                return content

    def stop(self) -> None:
        """As a workbench does that stops a workload."""
        if self.manager.has_kernel:
            self.client.stop_channels()
            self.manager.shutdown_kernel()


def cells(script: str) -> list[str]:
    """A script as CAI cuts it: one cell a statement at the top level."""
    text = (ROOT / script).read_text()
    return [ast.get_source_segment(text, node) or "" for node in ast.parse(text).body]


@pytest.fixture
def start_kernel(tmp_path: Path) -> Iterator[Callable[[], Kernel]]:
    """Starts kernels, and stops them."""
    kernels: list[Kernel] = []

    def start() -> Kernel:
        kernels.append(Kernel(tmp_path))
        return kernels[-1]

    yield start
    for kernel in kernels:
        kernel.stop()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def application(tmp_path: Path, simulator: Simulator) -> Variables:
    """What an AMP's application Gateway finds in its environment."""
    return {
        "CDSW_APP_PORT": str(free_port()),
        "CDSW_DOMAIN": "ml.example.com",
        "CDSW_ENGINE_ID": "engine-1",
        "GATEWAY_TRUST_PLATFORM": "1",
        "AI_GATEWAY_API_KEY": "",  # optional, and left blank
        "GATEWAY_DATA": str(tmp_path / "data"),
        **variables(simulator.url),
    }


def ask(
    port: int, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, bytes]:
    """Status and body of a request straight to a port."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def answers(port: int, path: str = "/") -> bool:
    """Whether a GET is answered with 200, as the workbench's polling asks."""
    try:
        return ask(port, path)[0] == 200
    except OSError:
        return False


def wait(condition: Callable[[], object]) -> None:
    """Wait until ``condition()`` holds."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.05)


class Proxy(BaseHTTPRequestHandler):
    """CAI's proxy: who has a key of the workbench gets through, under the name of its user."""

    port = 0
    forwards_authorization = True

    def log_message(self, *_args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Pass it on, or send the caller to the login."""
        if self.headers.get("Authorization") != f"Bearer {APPLICATION_KEY}":
            self.send_response(302)
            self.send_header("Location", "/login")
            self.end_headers()
            return
        dropped = {"remote-user", "host"}
        if not self.forwards_authorization:
            dropped.add("authorization")
        headers = {k: v for k, v in self.headers.items() if k.lower() not in dropped}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, reply = ask(
            self.port, self.path, self.command, body, **headers, **{"REMOTE-USER": USER}
        )
        self.send_response(status)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    do_POST = do_GET  # noqa: N815 - the name that http.server looks for


@contextmanager
def proxy(port: int, *, forwards_authorization: bool) -> Iterator[str]:
    """The application's address, as a browser's bar shows it: with a slash at its end."""
    settings = {"port": port, "forwards_authorization": forwards_authorization}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Proxy,), settings))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()

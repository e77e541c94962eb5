"""How the dashboard is started, and what its start refuses."""

from __future__ import annotations

import ast
import http.client
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from jupyter_client.manager import KernelManager
from playwright.sync_api import Browser, expect

from ai_gateway.clock import SystemClock
from ai_gateway.settings import Settings
from scripts.screenshot import ROOT, dashboard
from tests.dashboard.conftest import Store
from tests.dashboard.rows import request

pytestmark = pytest.mark.slow

PATIENCE = 40.0
LOGIN = {
    "PANEL_OAUTH_PROVIDER": "github",
    "PANEL_OAUTH_KEY": "key",
    "PANEL_OAUTH_SECRET": "secret",
    "PANEL_COOKIE_SECRET": "a long random text",
}
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Version": "13",
}


def environment(**variables: str) -> dict[str, str]:
    """This process's variables, and these."""
    return {**Settings.read().variables, **variables}


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Whether anybody takes connections there."""
    with socket.socket() as found:
        return found.connect_ex(("127.0.0.1", port)) == 0


def becomes(port: int, *, listening: bool) -> bool:
    """Wait until somebody, or nobody, listens on ``port``."""
    clock = SystemClock()
    until = clock.monotonic() + PATIENCE
    while listens(port) != listening and clock.monotonic() < until:
        clock.sleep(0.1)
    return listens(port) == listening


def websocket(url: str, origin: str) -> int:
    """The status of a websocket's handshake from a page of ``origin``."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    with closing(connection):
        connection.request("GET", "/ws", headers={**HANDSHAKE, "Origin": origin})
        return connection.getresponse().status


def refusal(*arguments: str, **variables: str) -> str:
    """What a start says that ends at once."""
    ended = subprocess.run(
        [sys.executable, "dashboard.py", *arguments],
        cwd=ROOT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    return ended.stderr


def test_only_named_origins_open_the_websocket(tmp_path: Path) -> None:
    """The page's own host may; another may not, even where Bokeh's own variable says so."""
    with dashboard(tmp_path, BOKEH_ALLOW_WS_ORIGIN="*") as url:
        assert websocket(url, url) == 101
        assert websocket(url, "https://evil.example.com") == 403
        assert websocket(url, "http://127.0.0.1:1") == 403


def test_the_operator_names_the_origins(tmp_path: Path) -> None:
    """With the variable set, its hosts and no others may open the websocket."""
    with dashboard(tmp_path, GATEWAY_DASHBOARD_ORIGIN="board.example.com") as url:
        assert websocket(url, "https://board.example.com") == 101
        assert websocket(url, "https://evil.example.com") == 403


def test_a_site_that_points_its_name_here_sees_nothing(store: Store, browser: Browser) -> None:
    """A browser on this machine that was lured to another name (DNS rebinding) gets no data."""
    store.add(requests=[request(1, at=SystemClock().now())])
    with dashboard(store.folder) as url, browser.new_context() as lured:
        page = lured.new_page()
        page.goto(url.replace("127.0.0.1", "evil.example.com"))
        page.wait_for_timeout(3000)  # Tornado before 6.6 refuses the websocket: no text tells
        assert page.get_by_text("question 1").count() == 0
        assert page.locator(".tile").count() == 0


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        (("--host", "0.0.0.0"), {}, "PANEL_OAUTH_PROVIDER"),
        ((), {"GATEWAY_DASHBOARD_ORIGIN": "*"}, "app.example.com"),
        ((), {"CDSW_DOMAIN": "cml.example.com"}, "GATEWAY_DASHBOARD_ORIGIN"),
        ((), {"GATEWAY_DATA": "ftp://x"}, "ftp"),
        ((), {"PANEL_OAUTH_PROVIDER": "github"}, "PANEL_COOKIE_SECRET"),
        (("--host", "0.0.0.0"), {**LOGIN, "PANEL_OAUTH_OPTIONAL": "true"}, "PANEL_OAUTH_PROVIDER"),
        (("--host", "0.0.0.0"), LOGIN, "GATEWAY_DASHBOARD_ORIGIN"),
    ],
)
def test_a_start_that_cannot_be_right_says_why(
    arguments: tuple[str, ...], variables: dict[str, str], words: str
) -> None:
    """An open network, a star, an unknown origin and an unknown store end with one sentence."""
    said = refusal("--port", "0", *arguments, **variables)
    assert words in said
    assert "Traceback" not in said


def test_with_panels_own_login_nobody_sees_anything_before_it(tmp_path: Path) -> None:
    """The page leads to the login, and the websocket is refused."""
    with dashboard(tmp_path, **LOGIN) as url:
        with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)) as connection:
            connection.request("GET", "/")
            reply = connection.getresponse()
            assert reply.status == 302
            assert reply.headers["location"].endswith("/login?next=%2F")
        assert websocket(url, url) == 403


def test_the_gateway_never_imports_the_dashboards_libraries() -> None:
    """What a gateway loads at its start holds neither Panel nor pandas, nor this page's package."""
    heavy = "panel bokeh holoviews hvplot pandas ai_gateway.dashboard"
    check = (
        f"import sys, runner; print(*(name for name in '{heavy}'.split() if name in sys.modules))"
    )
    said = subprocess.check_output([sys.executable, "-c", check], cwd=ROOT, text=True)
    assert said.strip() == ""


def test_a_taken_port_is_said() -> None:
    """Where another listens, the start ends with a sentence."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = refusal("--port", str(taken.getsockname()[1]))
    assert "was not started" in said
    assert "Traceback" not in said


@contextmanager
def served_by_panel(store: Store, *arguments: str) -> Iterator[str]:
    """``panel serve dashboard.py`` over the store; its URL."""
    port = free_port()
    command = [sys.executable, "-m", "panel", "serve", "dashboard.py", "--port", str(port)]
    origin = f"127.0.0.1:{port}"
    with subprocess.Popen(
        [*command, "--address", "127.0.0.1", "--allow-websocket-origin", origin, *arguments],
        cwd=ROOT,
        env=environment(GATEWAY_DATA=str(store.folder)),
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            assert becomes(port, listening=True)
            yield f"http://{origin}/dashboard"
        finally:
            process.terminate()


def test_panel_serve_works_too_and_keeps_strangers_out(store: Store, browser: Browser) -> None:
    """From this machine the page is shown; from another it says that a login is missing."""
    store.add(requests=[request(1, at=SystemClock().now())])
    with served_by_panel(store, "--use-xheaders") as url:
        with browser.new_context() as near:
            page = near.new_page()
            page.goto(url)
            expect(page.get_by_text("question 1")).to_be_visible()
        with browser.new_context(extra_http_headers={"X-Real-Ip": "10.1.2.3"}) as far:
            page = far.new_page()
            page.goto(url)
            expect(page.get_by_text("for its own machine only")).to_be_visible()
            assert page.get_by_text("question 1").count() == 0


@pytest.mark.parametrize("cells", ["one by one", "all at once"])
def test_it_starts_inside_a_kernel(tmp_path: Path, cells: str) -> None:
    """As Cloudera AI runs it: no file, no arguments, a running loop; it ends when it is stopped."""
    source = (ROOT / "dashboard.py").read_text()
    statements = _cells(source) if cells == "one by one" else [source]
    port = free_port()
    kernel = KernelManager(kernel_name="python3")
    kernel.start_kernel(
        cwd=ROOT, env=environment(CDSW_READONLY_PORT=str(port), GATEWAY_DATA=str(tmp_path))
    )
    client = kernel.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE)
        for statement in statements:
            client.execute(statement)
        assert becomes(port, listening=True)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=PATIENCE) as reply:
            assert reply.status == 200
        kernel.interrupt_kernel()
        assert becomes(port, listening=False)
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)


def _cells(source: str) -> list[str]:
    """The top-level statements of a file, as cells."""
    lines = source.splitlines()
    starts = [
        min([each.lineno, *(found.lineno for found in getattr(each, "decorator_list", []))])
        for each in ast.parse(source).body
    ]
    ends = [*(start - 1 for start in starts[1:]), len(lines)]
    return ["\n".join(lines[start - 1 : end]) for start, end in zip(starts, ends, strict=True)]

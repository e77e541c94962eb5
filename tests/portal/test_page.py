"""The page in a real browser: somebody signs in, makes a key, copies code that works, leaves."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from threading import Thread

import pytest
from playwright.sync_api import Browser, Error, Page, expect
from werkzeug.serving import WSGIRequestHandler, make_server

from ai_gateway.pages import HEADERS
from scripts.screenshot import chromium
from tests.portal.conftest import browse
from tests.portal.test_own_keys import chat

expect.set_options(timeout=20_000)
needs_chromium = pytest.mark.skipif(
    shutil.which("chromium") is None, reason="there is no Chromium here"
)


class _Silent(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """A test's own output is enough."""


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def served(begin, shown):
    """The gateway on loopback; its URL and itself."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    shown["portal"]["oidc"]["redirect_url"] = f"{url}/portal/callback"
    shown["portal"]["keys"]["longest"] = "36h"
    shown["routes"][0] |= {"rateLimit": "50/hour"}
    shown["budgets"] = [
        {
            "name": "of-tenant",
            "per": "tenant",
            "amount": 5,
            "window": "month",
            "assume": 500,
            "match": {"models": ["model-a"]},
        }
    ]
    gateway = begin(shown)
    gateway.service.limits.prepare()
    app = gateway.client.application
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Silent)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield url, gateway
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    """Chromium, once a module."""
    with chromium() as found:
        yield found


@pytest.fixture
def page(chrome, served) -> Iterator[Page]:
    """The portal, as who is not signed in sees it; what the browser complains of fails the test."""
    with chrome.new_context(viewport={"width": 1180, "height": 1500}) as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        opened = context.new_page()
        opened.set_default_timeout(20_000)
        complaints: list[str] = []
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("console", lambda said: complaints.append(said.text))
        opened.goto(f"{served[0]}/portal")
        yield opened
        # Who is not signed in gets a 401 first, of which the browser tells by itself.
        assert [each for each in complaints if "status of 401" not in each] == []


@needs_chromium
@pytest.mark.slow
def test_somebody_makes_a_key_and_uses_it(served, page, tmp_path) -> None:
    """From the sign-in to code that was copied and runs, in one sitting."""
    _, gateway = served
    page.get_by_role("link", name="Sign in").click()
    expect(page.get_by_role("heading", name="Your keys")).to_be_visible()
    expect(page.get_by_text("alice", exact=True)).to_be_visible()
    assert page.get_by_label("Ends after").inner_text().split("\n") == ["1 day", "36 hours"]
    page.get_by_label("Name of a new key").fill("<img src=x onerror=alert(1)>")
    page.get_by_role("button", name="Make a key").click()
    heading = page.get_by_role("heading", name="Your new key: <img")
    expect(heading).to_be_focused()
    key = page.locator("#fresh-text").inner_text()
    page.locator("#fresh-copy").click()
    expect(page.locator("#fresh-copy")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == key
    assert chat(browse(gateway), key).status_code == 200
    run_snippets(page, tmp_path, key)
    page.get_by_role("button", name="I have it").click()
    assert key not in page.content()
    expect(page.locator("#code-text")).to_contain_text("YOUR_KEY")
    gateway.service.records.flush()
    page.reload()
    expect(page.locator("#by-key tbody td").first).to_have_text("<img src=x onerror=alert(1)>")
    expect(page.locator("#limits")).to_contain_text("rateLimit of chat: 50 requests an hour")
    page.get_by_role("button", name="End <img").click()
    page.get_by_role("button", name="End it").click()
    expect(page.locator("#keys")).to_contain_text("You have no key yet")
    assert chat(browse(gateway), key).status_code == 401
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()


def run_snippets(page: Page, tmp_path, key: str) -> None:
    """What the page shows is run as it is; the answer is the simulator's."""
    texts = {}
    for name in ("Python", "Node", "curl"):
        page.get_by_role("tab", name=name).click()
        texts[name] = page.locator("#code-text").inner_text()
        assert key in texts[name]
    assert texts["Python"].startswith("from openai import OpenAI")
    python = [sys.executable, "-c", texts["Python"]]
    assert subprocess.run(python, capture_output=True, check=True, timeout=60).stdout.strip()
    if shutil.which("curl"):
        shell = ["sh", "-c", texts["curl"].replace("curl ", "curl --silent --fail ", 1)]
        done = subprocess.run(shell, capture_output=True, check=True, timeout=60)
        assert b"chat.completion" in done.stdout
    if node := shutil.which("node"):
        (tmp_path / "snippet.mjs").write_text(texts["Node"])
        subprocess.run([node, "--check", tmp_path / "snippet.mjs"], check=True, timeout=60)


@needs_chromium
@pytest.mark.slow
def test_a_problem_is_told_in_words_of_the_pages_own(served, page) -> None:
    """What an address says is looked up, never shown."""
    url, _ = served
    page.goto(f"{url}/portal?problem=denied")
    expect(page.get_by_role("status")).to_have_text("The sign-in was refused.")
    assert page.url == f"{url}/portal"
    page.goto(f"{url}/portal?problem=<b>constructor</b>")
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    expect(page.get_by_role("status")).to_be_hidden()


@needs_chromium
@pytest.mark.slow
def test_no_text_becomes_markup(served, chrome) -> None:
    """Should a script ever try, the browser refuses (Trusted Types)."""
    with chrome.new_context() as context:
        page = context.new_page()
        page.goto(f"{served[0]}/portal")
        with pytest.raises(Error, match="TrustedHTML"):
            page.evaluate("() => { document.body.innerHTML = '<img>' }")
        assert page.locator("img").count() == 0


FILES = {
    "/portal": "text/html",
    "/portal/static/portal.js": "text/javascript",
    "/portal/static/use.js": "text/javascript",
    "/portal/static/portal.css": "text/css",
}


def test_files_are_sent_with_what_a_browser_may_do(gateway) -> None:
    """Nothing from elsewhere, no inline script, no frame, for everybody alike."""
    for path, kind in FILES.items():
        reply = gateway.client.get(path)
        assert reply.status_code == 200
        assert reply.headers["Content-Type"].startswith(kind)
        assert {name: reply.headers[name] for name in HEADERS} == HEADERS
        assert "set-cookie" not in reply.headers
        text = reply.text.replace("http://www.w3.org/2000/svg", "")
        for word in ("http://", "https://", "style=", "onclick", "innerHTML", "eval("):
            assert word not in text


def test_no_other_file_is_sent(gateway) -> None:
    """Whatever is beside them."""
    for name in ("nothing.js", "..", "index.html", "index.html%00", "%2e%2e%2fportal.py", "a/b"):
        assert gateway.client.get(f"/portal/static/{name}").status_code == 404


def test_every_file_that_a_page_names_is_there(gateway) -> None:
    """Scripts that scripts import, too."""
    page = gateway.client.get("/portal").text
    for name in ("portal.css", "portal.js"):
        assert f"/portal/static/{name}" in page
    script = gateway.client.get("/portal/static/portal.js").text
    for name in ("page.js", "snippets.js", "use.js"):
        assert f'"./{name}"' in script
        assert gateway.client.get(f"/portal/static/{name}").status_code == 200

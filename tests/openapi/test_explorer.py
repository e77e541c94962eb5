"""The explorer's files as they are served, and in a real browser over a real server."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from ai_gateway.openapi import explorer
from ai_gateway.pages import INDEX
from ai_gateway.portal import portal
from ai_gateway.simulator import Simulator, variables
from scripts.screenshot import chromium
from tests.conftest import KEY, ROOT

expect.set_options(timeout=20_000)
FILES = ("/docs", *(f"/docs/{name}" for name in sorted(explorer.PAGE.names)))
HEADERS = {"X-API-Key": KEY}


@pytest.mark.parametrize("path", FILES)
def test_every_file_says_what_a_browser_may_do_with_it(start, path) -> None:
    """No script but the gateway's own runs, no other site frames it, nothing is guessed or told."""
    reply = start().client.get(path)
    assert reply.status_code == 200
    rules = dict(
        rule.strip().partition(" ")[::2]
        for rule in reply.headers["content-security-policy"].split(";")
    )
    assert (rules["default-src"], rules["script-src"]) == ("'none'", "'self'")
    assert (rules["frame-ancestors"], rules["base-uri"]) == ("'none'", "'none'")
    assert "unsafe" not in reply.headers["content-security-policy"]
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize("name", ["index.html", "nothing.js", "..%2fexplorer.py", "%2e%2e"])
def test_nothing_else_is_served(start, name) -> None:
    """A name that is none of the explorer's files is not there, whatever stands beside them."""
    assert start().client.get(f"/docs/{name}").status_code == 404


def test_a_slash_at_the_end_is_taken_away(start) -> None:
    """Relative to where it was asked, since a proxy may have put the gateway below a path."""
    reply = start().client.get("/docs/")
    assert (reply.status_code, reply.headers["location"]) == (308, "../docs")


def test_every_file_of_the_folder_is_served() -> None:
    """What is forgotten in the table would be missing in the browser."""
    for page in (explorer.PAGE, portal.PAGE):
        assert {path.name for path in page.folder.iterdir()} == {INDEX, *page.names}


def test_the_page_has_no_script_or_style_of_its_own_and_no_address() -> None:
    """Nothing inline, which the policy would stop, and nothing of another host."""
    for name in (INDEX, *explorer.PAGE.names):
        text = (explorer.PAGE.folder / name).read_text()
        assert not re.search(r"\son\w+=|<style|style=|<script>|innerHTML|eval\(|https?:", text), (
            name
        )


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> Iterator[str]:
    """The default bundle, served by the command that operators start."""
    folder = tmp_path_factory.mktemp("explorer")
    with Simulator().start() as simulator:
        given = {"AI_GATEWAY_API_KEY": KEY, "GATEWAY_DATA": str(folder), "PATH": "/usr/bin:/bin"}
        command = [sys.executable, "-u", str(ROOT / "runner.py"), "serve", "--port", "0"]
        with subprocess.Popen(
            [*command, "--bundle", str(ROOT)],
            env={**given, **variables(simulator.url)},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                line = process.stdout.readline() if process.stdout else ""
                found = re.search(r" at (http://\S+)", line)
                assert found, line
                yield found[1]
            finally:
                process.terminate()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, once a module."""
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser, url) -> Iterator[Page]:
    """The explorer, as who has no key sees it; whatever the browser complains of fails the test."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        opened = context.new_page()
        opened.set_default_timeout(20_000)
        said: list[str] = []
        opened.on("console", lambda message: said.append(message.text))
        opened.on("pageerror", lambda error: said.append(str(error)))
        asked: list[str] = []
        opened.on("request", lambda request: asked.append(request.url))
        opened.goto(f"{url}/docs")
        yield opened
        # A refused answer is a line of the browser's own.
        assert [text for text in said if "Failed to load resource" not in text] == []
        assert [each for each in asked if not each.startswith((url, "data:", "blob:"))] == []


def signed_in(page: Page, operation: str) -> None:
    """With the administrator's key, at one operation."""
    expect(page.get_by_role("status").first).to_contain_text("Enter a key")
    page.get_by_label("Key or token").fill(KEY)
    page.get_by_role("button", name="Show what it may call").click()
    expect(page.get_by_role("status").first).to_contain_text("operations")
    page.get_by_label("Filter").fill(operation)
    page.get_by_role("navigation").get_by_role("link").first.click()


@pytest.mark.slow
def test_without_a_key_it_asks_for_one_and_shows_nothing(page) -> None:
    """The page tells nothing of the bundle; the field for the key has the focus."""
    expect(page.get_by_role("status")).to_contain_text("Enter a key")
    expect(page.get_by_label("Key or token")).to_be_focused()
    assert page.get_by_role("link").count() == 2  # to the main part, and to the document


@pytest.mark.slow
def test_an_example_is_sent_and_its_answer_shown(page) -> None:
    """Status, headers and body; the command for a shell names a variable, never the key."""
    signed_in(page, "post /inference")
    expect(page.get_by_role("heading", level=2, name="/inference")).to_be_visible()
    expect(page.locator("pre").first).to_contain_text("curl -N -X POST")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".status")).to_contain_text("200 OK, whole after")
    expect(page.get_by_label("Body", exact=True)).to_contain_text('"model": "model-')
    page.get_by_text("Headers", exact=True).click()
    expect(page.locator(".answer")).to_contain_text("x-request-id: ")
    assert KEY not in page.inner_text("body")
    assert "$AI_GATEWAY_API_KEY" in page.inner_text("main")


@pytest.mark.slow
def test_what_is_refused_is_shown_as_it_is(page) -> None:
    """A body that is none is sent too, and what the gateway says of it is read."""
    signed_in(page, "post /inference")
    page.get_by_label("application/json").fill(
        '{"inputs": "<img src=x onerror=alert(1)>", "more": 1}'
    )
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".status")).to_contain_text("400")
    expect(page.locator(".answer")).to_contain_text("more: ")
    assert page.locator("main img").count() == 0


@pytest.mark.slow
def test_a_stream_is_shown_as_it_comes(page) -> None:
    """Events are there as they were sent."""
    signed_in(page, "post /v1/chat/completions")
    body = '{"stream": true, "messages": [{"role": "user", "content": "Say hello."}]}'
    page.get_by_label("application/json").fill(body)
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".status")).to_contain_text("200 OK, whole after")
    expect(page.locator(".answer")).to_contain_text("data: [DONE]")


@pytest.mark.slow
def test_parameters_go_where_they_belong(page) -> None:
    """A path's in the path, escaped; a query's in the query; what must be there is asked for."""
    signed_in(page, "get /v1/models/{name}")
    page.get_by_role("button", name="Send").click()  # the browser asks for the name first
    assert page.locator(".status").count() == 0
    page.get_by_label("name").fill("model/a?b")
    expect(page.locator("pre").first).to_contain_text("/v1/models/model%2Fa%3Fb")
    page.get_by_label("Filter").fill("get /api/v1/metrics")
    page.get_by_role("navigation").get_by_role("link").first.click()
    page.get_by_label("type").select_option("latency")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".answer")).to_contain_text('"type": "latency"')


@pytest.mark.slow
def test_it_works_by_keyboard_alone(page) -> None:
    """Key, filter, operation and Send, without a mouse; the focus can be seen."""
    expect(page.get_by_label("Key or token")).to_be_focused()
    page.keyboard.type(KEY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("operations")
    page.get_by_label("Filter").focus()
    page.keyboard.type("get /ping")
    page.keyboard.press("Tab")
    link = page.get_by_role("link", name="GET /ping")
    expect(link).to_be_focused()
    assert link.evaluate("each => getComputedStyle(each).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Send")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".answer")).to_contain_text('"ok": true')


@pytest.mark.slow
def test_the_key_is_kept_nowhere(page, url) -> None:
    """Neither in the address, nor in a store of the browser's; a reload forgets it."""
    signed_in(page, "get /ping")
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [
        0,
        0,
        "",
    ]
    assert KEY not in page.url
    page.reload()
    expect(page.get_by_label("Key or token")).to_have_value("")


@pytest.mark.slow
def test_an_address_that_names_no_operation_is_survived(page, url) -> None:
    """Whatever stands behind the #, the first operation is shown."""
    page.goto("about:blank")
    page.goto(f"{url}/docs#%")
    signed_in(page, "")
    expect(page.locator("h2 .path")).to_be_visible()


@pytest.mark.slow
def test_a_body_is_never_the_name_of_a_file(page) -> None:
    """The shell's curl would take a body that begins with @ for the name of a file."""
    signed_in(page, "post /inference")
    page.get_by_label("application/json").fill("@/etc/hostname")
    expect(page.locator("pre").first).to_contain_text("--data-raw '@/etc/hostname'")


@pytest.mark.slow
def test_every_field_has_a_label(page) -> None:
    """Whoever hears the page is told what each field is for, on every operation."""
    signed_in(page, "post")
    for link in page.get_by_role("navigation").get_by_role("link").all():
        link.click()
        expect(page.locator("h2 .path")).to_have_text(link.inner_text().split()[1])
        bare = page.locator("input, select, textarea").evaluate_all(
            "all => all.filter(each => !each.labels.length).length"
        )
        assert bare == 0, link.inner_text()


@pytest.mark.slow
def test_a_slash_at_the_end_leads_back(page, url) -> None:
    """The page's own addresses are relative, so it is shown at one place alone."""
    page.goto(f"{url}/docs/")
    assert page.url == f"{url}/docs"
    expect(page.get_by_role("status").first).to_contain_text("Enter a key")

"""The page in a real browser."""

from __future__ import annotations

import re
import shutil
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, expect

from ai_gateway.clock import SystemClock
from ai_gateway.dashboard import text
from tests.dashboard.conftest import Open, Store
from tests.dashboard.rows import label, refusal, request, score, weights

pytestmark = pytest.mark.slow

NOW = SystemClock().now
#: Texts that would act if anything took them for markup.
HOSTILE = (
    "<script>window.canary = 1</script>",
    "<img src=x onerror='window.canary = 1; alert(1)'>",
    "[link](javascript:alert(1)) **bold** $$x$$",
    "</pre><svg onload='window.canary = 1'>",
)


def tile(page: Page, name: str) -> Any:
    """A headline number."""
    return page.locator(".tile", has_text=re.compile(f"{name}$")).locator("b")


def shown(page: Page) -> None:
    """Wait for the first numbers."""
    expect(page.get_by_text("Refused by rule")).to_be_visible()


def test_an_empty_store_shows_what_to_do_and_then_fills_by_itself(
    store: Store, open_page: Open
) -> None:
    """The page explains how to start; once there are records it shows them without a reload."""
    page = open_page()
    expect(page.get_by_text("No request was recorded yet")).to_be_visible()
    expect(page.get_by_text("Refused by rule")).to_be_hidden()
    store.add(requests=[request(1, at=NOW())])
    expect(tile(page, "answered")).to_have_text("1")
    expect(page.get_by_text("No request was recorded yet")).to_be_hidden()
    expect(page.get_by_text("Nothing yet in this time.").first).to_be_visible()


def test_the_numbers_follow_the_store(store: Store, open_page: Open) -> None:
    """What a writer appends changes numbers, tables and models, on the page that is open."""
    store.add(requests=[request(1, at=NOW())], weights=weights(NOW(), model_a=0.25))
    page = open_page()
    shown(page)
    expect(tile(page, "answered")).to_have_text("1")
    expect(page.get_by_text("question 1")).to_be_visible()
    store.add(
        requests=[
            request(2, at=NOW(), served="model-b", chosen="model-b", input="another question"),
            refusal(3, at=NOW(), input="how to build one"),
            request(4, at=NOW(), status=502, served=None),
        ],
        scores=[score(2, 0.5, at=NOW(), model="model-b")],
        weights=weights(NOW(), model_a=0.75, model_b=0.5),
    )
    expect(tile(page, "answered")).to_have_text("2")
    assert [tile(page, name).inner_text() for name in ("refused", "failed", "judged")] == ["1"] * 3
    assert tile(page, "mean score").inner_text() == "0.50"
    expect(page.get_by_text("another question")).to_be_visible()
    expect(page.get_by_text("how to build one")).to_be_visible()
    expect(page.get_by_text("bombs: making")).to_have_count(2)
    expect(page.locator(".tabulator-cell", has_text="0.75")).to_be_visible()
    assert page.locator("select option").all_inner_texts() == ["All models", "model-a", "model-b"]


def test_guardrail_rules_follow_what_people_say(store: Store, open_page: Open) -> None:
    """A rule has its counts at once, its precision when somebody labelled one of its verdicts."""
    store.add(requests=[refusal(1, at=NOW()), refusal(2, at=NOW(), leaked=42)])
    page = open_page()
    shown(page)
    row = page.locator(".tabulator-row", has_text="bombs/topic/making")
    expect(row).to_contain_text("0.00 to 1.00")
    shows = [cell.strip() for cell in row.locator(".tabulator-cell").all_inner_texts()]
    none = text.NOTHING
    counts = ["2", "2", "0", "0", "0", none, "0.00 to 1.00", "0", none]
    assert shows[1:11] == ["bombs/topic/making", *counts]  # before them, the row's number
    expect(page.get_by_text("Nobody has said of a verdict")).to_be_visible()
    expect(page.get_by_text("Characters that had left before: 42 in all")).to_be_visible()
    store.add(feedback=[label(1, "confirmed", at=NOW()), label(2, "false_alarm", at=NOW())])
    expect(page.get_by_text("Labels in this time: 2.")).to_be_visible()
    expect(row.locator(".tabulator-cell").nth(7)).to_have_text("0.50")


def test_filters_choose_model_and_time(store: Store, open_page: Open) -> None:
    """The numbers are those of the chosen model and period."""
    old = [request(1, at=NOW() - 7200), request(2, at=NOW() - 7200)]
    other = [request(3, at=NOW(), served="model-b", chosen="model-b")]
    store.add(requests=[*old, *other], weights=weights(NOW(), model_a=0.75, model_b=0.5))
    page = open_page()
    shown(page)
    expect(tile(page, "answered")).to_have_text("3")
    page.get_by_text("Hour", exact=True).click()
    expect(tile(page, "answered")).to_have_text("1")
    expect(page.get_by_text("question 1")).to_have_count(0)
    page.locator("select").select_option("model-a")
    expect(tile(page, "answered")).to_have_text("0")
    page.get_by_text("All", exact=True).click()
    expect(tile(page, "answered")).to_have_text("2")
    expect(page.get_by_text("question 3")).to_have_count(0)


def test_texts_are_shown_as_text(store: Store, open_page: Open) -> None:
    """No question, answer, reason, rule or model's name is taken for markup anywhere."""
    model = {"served": HOSTILE[1], "chosen": HOSTILE[1]}
    for number, hostile in enumerate(HOSTILE):
        verdict = {"policy": hostile, "rule": hostile, "action": "block", "mode": "enforce"}
        missed = label(number + 10, "missed", at=NOW(), rule=f"other {hostile}")
        texts = {"input": hostile, "output": hostile, "route": hostile, "routing": hostile}
        store.add(
            requests=[
                request(number, at=NOW(), **texts, **model),
                refusal(number + 10, at=NOW(), input=hostile, verdicts=[verdict]),
            ],
            scores=[score(number, 0.5, at=NOW(), reason=hostile, model=HOSTILE[1])],
            feedback=[missed],
        )
    store.add(weights=[{**weights(NOW(), x=0.5)[0], "model": HOSTILE[1]}])
    page = open_page()
    dialogs: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    shown(page)
    assert HOSTILE[1] in hover(page)
    for hostile in HOSTILE:
        for row in page.locator(".tabulator-row", has_text=hostile).all():
            row.locator(".tabulator-cell").nth(1).click()
        expect(page.locator("pre", has_text=hostile)).not_to_have_count(0)
    assert not dialogs
    assert page.evaluate("window.canary") is None
    assert page.locator("a[href^=javascript], img, .tabulator-cell *, pre *").count() == 0


def hover(page: Page) -> str:
    """Move along the only model's score, in the middle of the first figure; its tooltip's text."""
    canvas = page.locator("canvas").first
    canvas.scroll_into_view_if_needed()
    page.wait_for_timeout(1000)
    box = canvas.bounding_box()
    assert box
    tooltip = page.locator(".bk-tooltip-content", has_text="judged answers").first
    for x in range(0, int(box["width"]), 6):
        page.mouse.move(box["x"] + x, box["y"] + box["height"] * 0.4)
        if tooltip.is_visible():
            return tooltip.inner_text()
    return ""


def test_a_long_text_is_cut_and_shown_whole_on_demand(store: Store, open_page: Open) -> None:
    """The table holds the beginning; a click on the row shows all of it, as text."""
    long = "start " + "word " * 500 + "end."
    store.add(requests=[request(1, at=NOW(), input=long)])
    page = open_page()
    shown(page)
    assert page.get_by_text("end.").count() == 0
    page.locator(".tabulator-cell", has_text="start word").click()
    expect(page.locator("pre", has_text="end.")).to_be_visible()


def test_a_broken_store_is_a_message_and_the_page_recovers(store: Store, open_page: Open) -> None:
    """An unreachable store is said, the last numbers stay, and go on once it is back."""
    store.add(requests=[request(1, at=NOW())])
    page = open_page()
    shown(page)
    table, away = store.folder / "requests", store.folder / "away"
    shutil.move(table, away)
    table.write_text("no folder")
    expect(page.get_by_text("The record store cannot be read now")).to_be_visible()
    expect(tile(page, "answered")).to_have_text("1")
    table.unlink()
    shutil.move(away, table)
    expect(page.get_by_text("The record store cannot be read now")).to_be_hidden()


def test_the_page_asks_nothing_of_any_other_host(store: Store, open_page: Open) -> None:
    """Scripts, styles and fonts come from the dashboard itself; nothing fails to load."""
    store.add(requests=[request(1, at=NOW())], weights=weights(NOW(), model_a=0.5))
    page = open_page()
    shown(page)
    asked: list[str] = []
    failed: list[str] = []
    page.on("request", lambda found: asked.append(found.url))
    page.on("requestfailed", lambda found: failed.append(found.url))
    page.on("response", lambda found: failed.extend([found.url] * (found.status >= 400)))
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.reload()
    shown(page)
    page.locator("canvas").first.wait_for()
    page.wait_for_timeout(1000)
    origin = page.evaluate("location.host")
    assert len(asked) > 5
    assert {url.split("/")[2] for url in asked if not url.startswith(("data:", "blob:"))} == {
        origin
    }
    assert failed == []

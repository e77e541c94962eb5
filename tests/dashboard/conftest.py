"""A store to write to, a dashboard over it, and a browser without a screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from ai_gateway.clock import SystemClock
from ai_gateway.records import Records
from ai_gateway.records.schema import TABLES
from scripts.screenshot import chromium, dashboard

expect.set_options(timeout=20_000)  # milliseconds: a refresh, and time to draw on a busy machine


class Store:
    """A folder of records that a writer, such as a gateway, adds to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = Records.open(str(folder), folder / "wal", SystemClock(), background=False)

    def add(self, **rows: list[dict[str, Any]]) -> None:
        """Rows of each table, readable from now on."""
        for table in TABLES:
            self.records.extend(table, rows.get(table, []))
        self.records.flush()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    found = Store(tmp_path / "data")
    yield found
    found.records.close()


@pytest.fixture(scope="module")  # while it runs, so does an event loop in this thread
def browser() -> Iterator[Browser]:
    """Chromium, once a module; evil.example.com is this machine for it."""
    with chromium("--host-resolver-rules=MAP evil.example.com 127.0.0.1") as found:
        yield found


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, store: Store) -> Iterator[Open]:
    """Starts a dashboard over the store and opens it; notes what a hostile text would do."""
    with ExitStack() as stack:

        def opened(**variables: str) -> Page:
            url = stack.enter_context(dashboard(store.folder, **variables))
            page = stack.enter_context(browser.new_context()).new_page()
            page.set_default_timeout(20_000)
            page.goto(url)
            return page

        yield opened

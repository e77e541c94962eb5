"""The explorer's page, and the files that it names."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ai_gateway.contract import Reply
from ai_gateway.pages import HEADERS, Page

PAGE: Final = Page(
    Path(__file__).parent / "page",
    frozenset({"explorer.css", "explorer.js", "form.js", "schema.js"}),
)


def without_slash(path: str) -> Reply:
    """To the same address without the slash at its end, wherever a proxy has put the gateway."""
    name = path.rstrip("/").rpartition("/")[2]
    return Reply(b"", 308, {**HEADERS, "location": f"../{name}"})

"""The page on translation names what is passed on, dropped and refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_gateway.translate.anthropic import chat_request, messages_request, words

PAGE = (Path(__file__).parents[2] / "docs" / "translation.md").read_text(encoding="utf-8")

NAMES = {
    *(name for name in chat_request._SAME if name != "model"),
    *(name for name in messages_request._SAME if name != "model"),
    *messages_request._COST,
    *words.FINISH,
    *words.FINISH.values(),
    words.INVALID,
    "max_tokens",
}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_names(name):
    """Each name that the code knows is on the page."""
    assert name in PAGE


def test_numbers():
    """The default limit and the budgets are the code's own."""
    numbers = [messages_request.MAX_TOKENS, *(f"{below:,}" for below, _ in chat_request._BUDGETS)]
    assert all(str(number) in PAGE for number in numbers)

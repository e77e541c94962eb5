"""What the gateway reads of a chat completion."""

from __future__ import annotations

from typing import Any

import pytest

from ai_gateway.errors import UpstreamError
from ai_gateway.formats.chat import CHAT


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "without choices"),
        ({"choices": {}}, "without choices"),
        ({"choices": []}, "without choices"),
        ({"choices": [3]}, "without a message"),
        (
            {"choices": [{"finish_reason": "content_filter", "content_filter_offsets": {}}]},
            "content filter acted",
        ),
        ({"choices": [{"message": {"content": 5}}]}, "no text"),
    ],
)
def test_what_is_no_completion(body: Any, said: str) -> None:
    """A body that holds no answer is an upstream's error, of a call that may have run."""
    with pytest.raises(UpstreamError, match=said) as caught:
        CHAT.read(body)
    assert (caught.value.status, caught.value.may_have_run) == (502, True)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "<think>hm</think>Yes"}, "<think>hm</think>Yes"),
        ({"content": "Yes", "reasoning": "hm", "reasoning_content": "hm"}, "Yes"),
        ({"content": None, "tool_calls": [{"function": {"arguments": "{}"}}]}, "{}"),
        ({"content": None, "reasoning": "hm"}, ""),
        ({"content": None, "refusal": "No."}, "No."),
        ({"content": "ends in a space "}, "ends in a space "),
        ({}, ""),
    ],
)
def test_text(message: dict[str, Any], text: str) -> None:
    """The text is the content and what tools are called with; reasoning is no part of it."""
    reading = CHAT.read({"choices": [{"message": message, "finish_reason": 5}], "usage": "?"})
    assert (reading.text, reading.finish_reason, reading.usage.raw) == (text, None, None)

"""A stream of chunks as its caller asked for it."""

import pytest

from ai_gateway.answer.call import Answer
from ai_gateway.answer.streamed import Held
from ai_gateway.surfaces.chat import ChatStream

USAGE = {"completion_tokens": 1}
CHUNKS = [
    {"choices": [{"delta": {"content": "a"}}], "usage": None},
    {"choices": [{"delta": {"content": "b"}}], "usage": USAGE},
    {"choices": [], "usage": USAGE},
]


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (None, [CHUNKS[0], {"choices": CHUNKS[1]["choices"]}]),
        ({"include_usage": False}, [CHUNKS[0], {"choices": CHUNKS[1]["choices"]}]),
        ({"include_usage": True}, CHUNKS),
    ],
)
def test_usage_is_shown_to_who_asked(options, kept) -> None:
    """Whoever did not ask loses no words: servers that count in every chunk do it beside them."""
    answer = Answer("m", chunks=Held([dict(chunk) for chunk in CHUNKS]))
    assert list(ChatStream(answer, {"stream_options": options}).events()) == kept

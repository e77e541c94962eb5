"""Which event of a stream is the first that says something: until then another model may answer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.formats.chat import CHAT
from ai_gateway.formats.completions import COMPLETIONS
from ai_gateway.formats.messages import MESSAGES


def chunk(finish: Any = None, **delta: Any) -> dict[str, Any]:
    """A chunk of a chat completion."""
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def block(kind: str, **more: Any) -> dict[str, Any]:
    """A block of a message that begins."""
    return {"type": "content_block_start", "index": 0, "content_block": {"type": kind, **more}}


def piece(kind: str, **more: Any) -> dict[str, Any]:
    """A piece of a block."""
    return {"type": "content_block_delta", "index": 0, "delta": {"type": kind, **more}}


CALL = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}


@pytest.mark.parametrize(
    ("form", "event"),
    [
        (CHAT, chunk(content="a")),
        (CHAT, chunk(role="assistant", content=" ")),
        (CHAT, chunk(content=[{"type": "text", "text": "a"}])),
        (CHAT, chunk(refusal="no")),
        (CHAT, chunk(reasoning="a")),
        (CHAT, chunk(reasoning_content="a")),
        (CHAT, chunk(tool_calls=[CALL])),
        (CHAT, chunk("stop")),
        (CHAT, {"choices": [*chunk(role="assistant")["choices"], *chunk(content="a")["choices"]]}),
        (COMPLETIONS, {"choices": [{"text": "a"}]}),
        (COMPLETIONS, {"choices": [{"text": "", "finish_reason": "stop"}]}),
        (MESSAGES, block("text", text="a")),
        (MESSAGES, block("thinking", thinking="", signature="")),
        (MESSAGES, block("tool_use", id="c", name="f", input={})),
        (MESSAGES, piece("text_delta", text="a")),
        (MESSAGES, piece("thinking_delta", thinking="a")),
        (MESSAGES, piece("input_json_delta", partial_json="")),
        (MESSAGES, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}),
        (MESSAGES, {"type": "message_stop"}),
        (MESSAGES, {"type": "news"}),
    ],
)
def test_what_says_something(form: Any, event: Any) -> None:
    """A text, a thought, a call of a tool, a refusal, and why the answer ended."""
    assert form.says(event)


@pytest.mark.parametrize(
    ("form", "event"),
    [
        (CHAT, chunk(role="assistant")),
        (CHAT, chunk(role="assistant", content="", refusal=None, tool_calls=[])),
        (CHAT, chunk(content=None, reasoning=None)),
        (CHAT, {"choices": [], "usage": {"prompt_tokens": 1}}),
        (CHAT, {"choices": [], "prompt_filter_results": [{}]}),
        (COMPLETIONS, {"choices": [{"text": ""}]}),
        (COMPLETIONS, {"choices": []}),
        (MESSAGES, {"type": "message_start", "message": {"content": []}}),
        (MESSAGES, {"type": "ping"}),
        (MESSAGES, block("text", text="")),
        (MESSAGES, piece("text_delta", text="")),
        (MESSAGES, {"type": "content_block_stop", "index": 0}),
    ],
)
def test_what_says_nothing_yet(form: Any, event: Any) -> None:
    """A role, the head of a message, an empty text, a sign of life, usage."""
    assert not form.says(event)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
KEYS = st.sampled_from(["choices", "delta", "type", "content_block", "text", "finish_reason"])
ODD = st.dictionaries(
    KEYS, JSON | st.dictionaries(KEYS, JSON) | st.lists(st.dictionaries(KEYS, JSON))
)


@given(event=ODD, form=st.sampled_from([CHAT, COMPLETIONS, MESSAGES]))
def test_no_event_is_too_odd(event: Any, form: Any) -> None:
    """Whatever a server sends is one or the other."""
    assert form.says(event) in (True, False)


@given(kind=st.sampled_from(["content_block_start", "content_block_delta"]), event=ODD)
def test_no_piece_is_too_odd(kind: str, event: Any) -> None:
    """Nor is what stands under a type that is known."""
    assert MESSAGES.says({**event, "type": kind}) in (True, False)

"""What the gateway reads of Anthropic's Messages API."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.errors import (
    UpstreamError,
    UpstreamRateLimited,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from ai_gateway.formats import Usage
from ai_gateway.formats.messages import MESSAGES, Reader

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**63) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
BLOCK = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["text", "tool_use", "thinking", "tool_result"]) | JSON,
        "text": st.text() | JSON,
        "input": JSON,
    },
)


def said(content):
    """The texts of one user's message."""
    body = {"messages": [{"role": "user", "content": content}]}
    return [(text.text, text.stage) for text in MESSAGES.texts(body)]


def test_texts_of_system_and_strings():
    """A system prompt, of either kind, and plain messages are read in order."""
    messages = [{"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}]
    blocks = [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]
    for system in ("a", blocks):
        read = MESSAGES.texts({"system": system, "messages": messages})
        assert [text.text for text in read] == ["a", "b", "c"]


def test_texts_of_tool_results():
    """A tool's results, strings or blocks, are of stage tool; what stands beside is input."""
    content = [
        {"type": "tool_result", "tool_use_id": "t1", "content": "one"},
        {"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "text", "text": "two"}]},
        {"type": "web_search_tool_result", "content": [{"type": "x", "title": "three"}]},
        {"type": "text", "text": "four"},
    ]
    expected = [("one", "tool"), ("two", "tool"), ("three", "tool"), ("four", "input")]
    assert said(content) == [*expected, ("onetwothree", "tool")]


def test_texts_of_calls_and_thoughts():
    """A call's arguments and a thought are read; names, ids and signatures are not."""
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "c2VjcmV0"},
        {"type": "tool_use", "id": "t1", "name": "find", "input": {"q": "x"}},
    ]
    assert said(content) == [("hm", "input"), ('{"q":"x"}', "input"), ('hm{"q":"x"}', "input")]


def test_texts_of_documents():
    """A document of plain text is read in whole; of an image and a PDF the bytes are not."""
    source = {"type": "text", "media_type": "text/plain", "data": "body"}
    content = [
        {"type": "document", "source": source, "title": "title", "context": "context"},
        {"type": "document", "source": {"type": "base64", "data": "JVBERi0="}},
        {"type": "image", "source": {"type": "url", "url": "https://host.example/a.png"}},
    ]
    assert [text for text, _ in said(content)][:-1] == ["body", "title", "context"]


def test_what_blocks_say_together_is_read():
    """A word that is spread over two of them is whole to a model."""
    blocks = [{"type": "text", "text": "xy"}, {"type": "text", "text": "zzy"}]
    assert said(blocks)[-1] == ("xyzzy", "input")
    body = {"system": blocks, "messages": [{"role": "user", "content": "Hi"}]}
    assert MESSAGES.texts(body)[2].text == "xyzzy"


def test_texts_of_unknown_blocks():
    """What a block of a later version says is read wherever in it that stands."""
    content = [{"type": "of_2031", "deep": [{"er": {"words": "hidden"}}, 7, None]}, 3]
    assert said(content) == [("hidden", "input")]


def test_read():
    """An answer is its texts and arguments; the tokens from and for the cache count as input."""
    counts = {
        "input_tokens": 10,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 3,
        "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 4},
    }
    content = [
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "text", "text": "Hello"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
    ]
    body = {"type": "message", "content": content, "stop_reason": "tool_use", "usage": counts}
    reading = MESSAGES.read(body)
    assert reading.text == 'Hello\n{"a":1}'
    assert reading.finish_reason == "tool_use"
    assert reading.usage == Usage(input=33, output=7, cached=20, reasoning=4, raw=counts)


@pytest.mark.parametrize("body", [{}, {"content": "text"}, {"type": "error", "content": []}])
def test_read_no_answer(body):
    """What holds no content is no answer."""
    with pytest.raises(UpstreamError, match="without content"):
        MESSAGES.read(body)


def test_read_no_block():
    """Content of something else than blocks is no answer."""
    with pytest.raises(UpstreamError, match="no object"):
        MESSAGES.read({"content": ["text"]})


def test_reader():
    """A stream is read as its whole answer is; counts are cumulative, and nulls change none."""
    reader = Reader()
    start = {"input_tokens": 5, "cache_read_input_tokens": 2, "output_tokens": 1}
    for event in [
        {"type": "message_start", "message": {"usage": start}},
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "b"}},
        {"type": "content_block_delta", "index": 0, "delta": None},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_delta", "index": 1, "delta": {"partial_json": "{}"}},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 9, "cache_read_input_tokens": None},
        },
        {"type": "message_stop"},
    ]:
        reader.add(event)
    reading = reader.reading()
    assert (reading.text, reading.finish_reason) == ("ab\n{}", "end_turn")
    assert (reading.usage.input, reading.usage.output, reading.usage.cached) == (7, 9, 2)


def test_reader_before_its_end():
    """An answer that breaks off before its last event has not ended, whatever its end was to be."""
    reader = Reader()
    reader.add({"type": "message_delta", "delta": {"stop_reason": "end_turn"}})
    assert reader.reading().finish_reason is None
    reader.add({"type": "message_stop"})
    assert reader.reading().finish_reason == "end_turn"


def test_reader_without_usage():
    """A stream that says nothing of tokens has no raw usage."""
    reader = Reader()
    reader.add({"type": "message_start", "message": None})
    reader.add({"type": "message_delta", "delta": None})
    assert reader.reading().usage == Usage()


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("overloaded_error", UpstreamUnavailable),
        ("rate_limit_error", UpstreamRateLimited),
        ("timeout_error", UpstreamTimeout),
        ("api_error", UpstreamError),
        ("made_up", UpstreamError),
        (None, UpstreamError),
    ],
)
def test_error_event(kind, error):
    """An error event is the error that its type says, without the model's own words."""
    event = {"type": "error", "error": {"type": kind, "message": "secret"}}
    with pytest.raises(UpstreamError) as raised:
        Reader().add(event)
    assert type(raised.value) is error
    assert "secret" not in raised.value.message


def test_error_event_of_no_shape():
    """An error event without an error is one too."""
    with pytest.raises(UpstreamError):
        Reader().add({"type": "error"})


@given(JSON | st.fixed_dictionaries({"content": st.lists(BLOCK), "usage": JSON}))
def test_any_answer(body):
    """Nothing that an upstream answers raises anything but an UpstreamError."""
    if isinstance(body, dict):
        with suppress(UpstreamError):
            MESSAGES.read(body)


@given(st.lists(st.fixed_dictionaries({"role": JSON, "content": JSON | st.lists(BLOCK)})))
def test_any_messages(messages):
    """No content, of whatever shape, breaks the reading of the texts."""
    MESSAGES.texts({"messages": messages})

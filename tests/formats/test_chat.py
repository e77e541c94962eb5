"""What the messages of a chat say."""

import contextlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ai_gateway.errors import UpstreamError
from ai_gateway.formats import chat, completions
from ai_gateway.formats.chat import CHAT
from ai_gateway.formats.completions import COMPLETIONS

PICTURE = {"type": "image_url", "image_url": {"url": "data:x", "detail": "low"}}


def said(*messages: Any) -> list[str]:
    """The texts of messages."""
    return [text.text for text in CHAT.texts({"messages": list(messages)})]


@pytest.mark.parametrize(
    ("message", "texts"),
    [
        ({"role": "user", "content": "a"}, ["a"]),
        (
            {"role": "user", "name": "n", "content": [{"type": "text", "text": "a"}]},
            ["a", "n", "an"],
        ),
        ({"role": "a of mine", "content": "b"}, ["b", "a of mine", "ba of mine"]),
        ({"role": ["a"], "content": "b"}, ["b", "a", "ba"]),
        (
            {"role": "user", "content": [{"type": "text", "text": "a"}, PICTURE, "b"]},
            ["a", "b", "ab"],
        ),
        ({"role": "user", "content": [{"type": "text", "Text": "a"}]}, ["a"]),
        ({"role": "user", "content": [{"type": "new", "deep": {"er": ["a"]}}]}, ["a"]),
        ({"role": "user", "content": [{"type": "file", "file": {"file_data": "x"}}]}, []),
        ({"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "x"}}]}, []),
        ({"role": "assistant", "content": None, "refusal": "a"}, ["a"]),
        ({"role": "assistant", "content": None, "reasoning": "a"}, ["a"]),
        ({"role": "assistant", "content": "", "reasoning_content": "a"}, ["", "a", "a"]),
        (
            {"role": "assistant", "reasoning_details": [{"type": "t", "text": "a", "data": "x"}]},
            ["a"],
        ),
        (
            {"tool_calls": [{"id": "1", "type": "f", "function": {"name": "n", "arguments": "a"}}]},
            ["n", "a", "na"],
        ),
        ({"function_call": {"name": "n", "arguments": {"q": "a"}}}, ["n", "a", "na"]),
        ({"role": "user", "thought_of_later": "a"}, ["a"]),
        ("a", ["a"]),
    ],
)
def test_what_a_message_says(message: Any, texts: list[str]) -> None:
    """Content, calls, refusals and reasoning are read, and what is not known; pictures are not."""
    assert said(message) == texts


def test_escapes_hide_nothing() -> None:
    """Arguments that are JSON are read as a server may unpack them; other backslashes are none."""
    call = {"function": {"arguments": '{"q": "x\\u0079z"}'}}
    assert said({"tool_calls": [call]})[-1] == "xyz"
    assert said({"content": "a\\u0079 {"}) == ["a\\u0079 {"]


def test_what_tools_say_is_of_their_stage() -> None:
    """A result is told from a question."""
    roles = ["user", "tool", "function", "system"]
    found = CHAT.texts({"messages": [{"role": role, "content": "a"} for role in roles]})
    assert [text.stage for text in found] == ["input", "tool", "tool", "system"]


@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["role", "content", "tool_calls", "function", "x"]), inner
                )
            ),
            max_leaves=8,
        )
    )
)
def test_no_message_breaks_the_reading(messages: list[Any]) -> None:
    """Whatever stands there, reading it is no error."""
    CHAT.texts({"messages": messages})


def test_a_choice_that_was_filtered_takes_no_other_with_it() -> None:
    """Of several choices one may have no message, wherever it stands; without any there is none."""
    good = {"index": 0, "message": {"content": "good"}, "finish_reason": "stop"}
    filtered = {"index": 1, "finish_reason": "content_filter"}
    for choices in ([good, filtered], [filtered, good]):
        assert CHAT.read({"choices": choices}).text == "good"
        assert chat.answered({"choices": choices}) == good
    with pytest.raises(UpstreamError, match="content filter acted"):
        CHAT.read({"choices": [filtered, filtered]})
    with pytest.raises(UpstreamError, match="without a message"):
        CHAT.read({"choices": [good, {"index": 1, "finish_reason": "stop"}]})


SHAPES = st.recursive(
    st.none() | st.integers(0, 3) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                (
                    *("choices", "delta", "message", "content", "tool_calls", "function"),
                    *("index", "arguments", "text", "finish_reason", "usage", "refusal"),
                )
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(st.dictionaries(st.sampled_from(["choices", "usage"]), SHAPES))
@example({"choices": [{"index": [], "text": "a", "delta": {"content": "a"}}]})
@example({"choices": [{"delta": {"tool_calls": [{"index": {}, "function": {"arguments": "a"}}]}}]})
@example({"choices": [{"delta": {"tool_calls": 1}, "message": {"tool_calls": 1}}]})
@example({"choices": [{"message": {"content": 5}}]})
@example({"choices": 1})
def test_no_answer_breaks_the_reading(body: dict[str, Any]) -> None:
    """Whatever a server sends, it is read or is the model's failure, whole and streamed."""
    for form in (CHAT, COMPLETIONS):
        with contextlib.suppress(UpstreamError):
            form.read(body)
    for reader in (chat.Reader(), completions.Reader()):
        reader.add(body)
        reader.reading()


def test_a_streams_content_may_come_in_parts() -> None:
    """What a whole answer's parts say is read of a stream's too: a policy sees the same text."""
    reader = chat.Reader()
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "why"}]}
    for content in ([thinking], [{"type": "text", "text": "xy"}], "zz", [{"text": "y"}], [1]):
        reader.add({"choices": [{"index": 0, "delta": {"content": content}}]})
    assert reader.reading().text == "xyzzy"


@pytest.mark.parametrize("reader", [chat.Reader, completions.Reader])
def test_a_stream_has_ended_with_the_last_of_its_choices(reader: Any) -> None:
    """Choices end each for itself, with a word; one that never came has none to end."""
    one, two = (
        {"index": index, "delta": {"content": "a"}, "text": "a", "finish_reason": ""}
        for index in (0, 1)
    )
    read = reader()
    read.add({"choices": [one, two]})
    read.add({"choices": [{**one, "finish_reason": "length"}]})
    assert read.reading().finish_reason is None
    read.add({"choices": [{**two, "finish_reason": "stop"}]})
    read.add({"choices": [{"delta": {}}]})  # what a server's filter says late
    assert read.reading().finish_reason == "length"


@pytest.mark.parametrize("after", [{}, None, {"prompt_tokens": None}, {"queue_time": 0.1}, "none"])
def test_a_usage_that_counts_nothing_does_not_take_the_place_of_one_that_does(after: Any) -> None:
    """Some servers end a stream with an empty one."""
    reader, counted = chat.Reader(), {"prompt_tokens": 10, "completion_tokens": 5}
    for used in ({"prompt_tokens": 10, "completion_tokens": 1}, counted, after):
        reader.add({"choices": [], "usage": used})
    assert reader.reading().usage == chat.usage(counted)

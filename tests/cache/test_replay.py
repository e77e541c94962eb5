"""A replayed stream is put together to the answer that was kept."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.cache.replay import replay
from ai_gateway.formats.chat import CHAT
from ai_gateway.formats.completions import COMPLETIONS
from ai_gateway.formats.messages import MESSAGES
from ai_gateway.formats.responses import RESPONSES

FORMATS = {f.name: f for f in (CHAT, COMPLETIONS, MESSAGES, RESPONSES)}
LONG = "Grüße aus Paris. " * 40
ASKED = {"stream": True, "stream_options": {"include_usage": True}}

CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
CHAT_ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "model-a",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": LONG,
                "refusal": None,
                "tool_calls": [CALL, {**CALL, "id": "call_2"}],
            },
            "logprobs": {"content": [{"token": "a", "logprob": -0.1}]},
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
COMPLETION = {
    "id": "cmpl-1",
    "object": "text_completion",
    "choices": [
        {"index": 0, "text": LONG, "logprobs": None, "finish_reason": "length"},
        {"index": 1, "text": "", "logprobs": None, "finish_reason": "stop"},
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2},
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "model-a",
    "content": [
        {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "b3BhcXVl"},
        {"type": "text", "text": LONG, "citations": [{"type": "char_location", "cited_text": "x"}]},
        {"type": "text", "text": "", "citations": None},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": [1, "ü"]}},
        {"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2, "cache_read_input_tokens": 1},
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "model": "model-a",
    "output": [
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [
                {"type": "output_text", "text": LONG, "annotations": [], "logprobs": []},
                {"type": "refusal", "refusal": "I would rather not."},
            ],
        },
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": "f",
            "arguments": '{"a": 1}',
            "status": "completed",
        },
    ],
    "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
}
ANSWERS = {
    "chat": CHAT_ANSWER,
    "completions": COMPLETION,
    "messages": MESSAGE,
    "responses": RESPONSE,
}


def read(answer, name, request=None):
    """What a reader makes of the replayed stream."""
    make = FORMATS[name].reader
    assert make is not None
    reader = make()
    for chunk in replay(answer, name, ASKED if request is None else request):
        reader.add(chunk)
    return reader.reading()


def lines(text) -> list[str]:
    """What it says; an empty part of an answer leaves an empty line in one reading."""
    return [line for line in text.split("\n") if line]


@pytest.mark.parametrize("name", ANSWERS)
def test_a_reader_puts_the_same_together(name) -> None:
    """The same end and usage as of the whole answer, and the same words."""
    streamed, whole = read(ANSWERS[name], name), FORMATS[name].read(ANSWERS[name])
    assert streamed.finish_reason == whole.finish_reason
    assert streamed.usage.output == whole.usage.output
    assert streamed.usage.input == whole.usage.input
    assert lines(streamed.text) == lines(whole.text)


def test_usage_comes_only_where_it_was_asked_for() -> None:
    """In a last chunk without choices."""
    for name in ("chat", "completions"):
        assert not any("usage" in chunk for chunk in replay(ANSWERS[name], name, {}))
        *_, last = replay(ANSWERS[name], name, ASKED)
        assert (last["choices"], last["usage"]) == ([], ANSWERS[name]["usage"])


def test_a_chat_stream_is_whole() -> None:
    """Role first, pieces of text and reasoning, each tool call under its index, then the end."""
    choice = CHAT_ANSWER["choices"][0]
    thought = {**choice["message"], "reasoning_content": "Let me think. " * 40}
    answer = {**CHAT_ANSWER, "choices": [{**choice, "message": thought}]}
    chunks = list(replay(answer, "chat", {}))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "refusal": None}
    for name in ("content", "reasoning_content"):
        assert "".join(delta.get(name, "") for delta in deltas) == thought[name]
    calls = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert [(call["index"], call["id"]) for call in calls] == [(0, "call_1"), (1, "call_2")]
    end = chunks[-1]["choices"][0]
    assert (end["finish_reason"], end["logprobs"]["content"][0]["token"]) == ("tool_calls", "a")
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert {chunk["id"] for chunk in chunks} == {"chatcmpl-1"}


def test_a_message_stream_is_put_together_block_by_block() -> None:
    """As Anthropic's SDKs do it: each block from its start and its deltas."""
    events = list(replay(MESSAGE, "messages", {}))
    assert events[0]["message"]["content"] == []
    blocks = {e["index"]: e["content_block"] for e in events if e["type"] == "content_block_start"}
    assert blocks[1] == {"type": "redacted_thinking", "data": "b3BhcXVl"}
    assert blocks[4] == {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    kinds = [
        event["delta"]["type"]
        for event in events
        if event["type"] == "content_block_delta" and event["index"] in (0, 4)
    ]
    assert kinds == ["thinking_delta", "signature_delta", "input_json_delta"]
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]


def test_a_response_stream_is_numbered_and_ends_with_the_whole() -> None:
    """Every event has its place, and the last holds the response as it was kept."""
    events = list(replay(RESPONSE, "responses", {}))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["response"] == RESPONSE
    assert events[-1]["type"] == "response.completed"
    cut = {**RESPONSE, "status": "incomplete", "incomplete_details": {"reason": "max_tokens"}}
    *_, last = replay(cut, "responses", {})
    assert last["type"] == "response.incomplete"


def test_what_has_no_streams_has_no_replay() -> None:
    """Embeddings come whole."""
    with pytest.raises(KeyError):
        replay({}, "embeddings", {})


@given(st.text(max_size=2000))
def test_any_text_survives(text) -> None:
    """To the last character, in each format."""
    message = {"role": "assistant", "content": text}
    chat = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    assert read(chat, "chat").text == text
    completion = {"choices": [{"index": 0, "text": text, "finish_reason": "stop"}]}
    assert read(completion, "completions").text == text
    block = {"type": "text", "text": text}
    assert read({"content": [block], "stop_reason": "end_turn"}, "messages").text == text
    part = {"type": "output_text", "text": text}
    output = [{"type": "message", "content": [part]}]
    assert read({"status": "completed", "output": output}, "responses").text == text

"""What is emitted, read by the official SDKs' own types and accumulators."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from ai_gateway.translate.anthropic import CHAT_TO_MESSAGES, MESSAGES_TO_CHAT

CALL = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 8,
    "prompt_tokens_details": {"cached_tokens": 20},
    "completion_tokens_details": {"reasoning_tokens": 5},
}
MESSAGE = {"role": "assistant", "reasoning": "hm", "content": "Hi", "tool_calls": [CALL]}
COMPLETION = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "tool_calls"}],
    "usage": USAGE,
}
BLOCKS: list[Any] = [
    {"type": "thinking", "thinking": "hm", "signature": "s"},
    {"type": "text", "text": "Hi"},
    {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
    {"type": "tool_use", "id": "t2", "name": "g", "input": {}},
]
ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": BLOCKS,
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 7, "output_tokens": 8, "cache_read_input_tokens": 2},
}


def chunks():
    """The completion, streamed."""
    deltas = [
        {"role": "assistant", "content": ""},
        {"reasoning": "h"},
        {"reasoning": "m"},
        {"content": "H"},
        {"content": "i"},
        {"tool_calls": [{"index": 0, **CALL, "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]},
    ]
    head = {"id": "c1", "model": "m"}
    for delta in deltas:
        yield head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    yield head | {"choices": [], "usage": USAGE}


def events():
    """The answer, streamed."""
    yield {"type": "message_start", "message": ANSWER | {"content": [], "stop_reason": None}}
    pieces = [
        [
            {"type": "thinking_delta", "thinking": "hm"},
            {"type": "signature_delta", "signature": "s"},
        ],
        [{"type": "text_delta", "text": "H"}, {"type": "text_delta", "text": "i"}],
        [{"type": "input_json_delta", "partial_json": text} for text in ("", '{"a"', ":1}")],
        [],
    ]
    empty = [{"thinking": "", "signature": ""}, {"text": ""}, {"input": {}}, {"input": {}}]
    for index, block in enumerate(BLOCKS):
        start = block | empty[index]
        yield {"type": "content_block_start", "index": index, "content_block": start}
        for delta in pieces[index]:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    stop = {"stop_reason": "tool_use", "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 8}}
    yield {"type": "message_stop"}


def test_answer_of_anthropics_types():
    """A translated answer is a Message, every key of the kind that the SDK says."""
    types = pytest.importorskip("anthropic.types")
    message = types.Message.model_validate(MESSAGES_TO_CHAT.answer(COMPLETION, {}), strict=True)
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    assert message.content[2].input == {"a": 1}
    assert message.usage.cache_read_input_tokens == 20


def test_events_of_anthropics_types():
    """Every translated event is one of the SDK's, and its accumulator makes the whole answer."""
    types = pytest.importorskip("anthropic.types")
    streaming = pytest.importorskip("anthropic.lib.streaming._messages")
    adapter = TypeAdapter(types.RawMessageStreamEvent)
    snapshot, buffers = None, {}
    for event in MESSAGES_TO_CHAT.stream(chunks(), {}):
        snapshot = streaming.accumulate_event(
            event=adapter.validate_python(event, strict=True),
            current_snapshot=snapshot,
            json_bufs=buffers,
        )
    whole = types.Message.model_validate(MESSAGES_TO_CHAT.answer(COMPLETION, {}))
    assert snapshot.to_dict(exclude_none=True) == whole.to_dict(exclude_none=True)


def test_answer_of_openais_types():
    """A translated answer is a ChatCompletion, every key of the kind that the SDK says."""
    types = pytest.importorskip("openai.types.chat")
    sent = CHAT_TO_MESSAGES.answer(ANSWER, {})
    completion = types.ChatCompletion.model_validate(sent, strict=True)
    message = completion.choices[0].message
    assert [call.id for call in message.tool_calls] == ["t1", "t2"]
    assert completion.usage.prompt_tokens == 9


def test_chunks_of_openais_types():
    """Every translated chunk is one of the SDK's, and its accumulator makes the whole answer."""
    types = pytest.importorskip("openai.types.chat")
    streaming = pytest.importorskip("openai.lib.streaming.chat._completions")
    state = streaming.ChatCompletionStreamState()
    for chunk in CHAT_TO_MESSAGES.stream(events(), {"stream_options": {"include_usage": True}}):
        state.handle_chunk(types.ChatCompletionChunk.model_validate(chunk, strict=True))
    message = state.get_final_completion().choices[0].message
    assert message.content == "Hi"
    calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls]
    assert calls == [("t1", "f", '{"a":1}'), ("t2", "g", "{}")]
    assert state.get_final_completion().usage.total_tokens == 17


@pytest.mark.parametrize("echo", ["anthropic", "openai"])
def test_answers_come_back(echo):
    """What an SDK's own objects send back of an answer is taken as a turn of the conversation."""
    ask = {"role": "user", "content": "Hello"}
    if echo == "anthropic":
        types = pytest.importorskip("anthropic.types")
        message = types.Message.model_validate(MESSAGES_TO_CHAT.answer(COMPLETION, {}))
        turn = {"role": "assistant", "content": message.to_dict(mode="json")["content"]}
        result = {"type": "tool_result", "tool_use_id": "t1", "content": "x"}
        turns = [ask, turn, {"role": "user", "content": [result]}]
        sent = MESSAGES_TO_CHAT.request({"max_tokens": 9, "messages": turns})["messages"]
        assert (sent[1]["tool_calls"], sent[1]["reasoning"]) == ([CALL], "hm")
    else:
        types = pytest.importorskip("openai.types.chat")
        found = types.ChatCompletion.model_validate(CHAT_TO_MESSAGES.answer(ANSWER, {}))
        turn = found.choices[0].message.to_dict(mode="json")
        sent = CHAT_TO_MESSAGES.request({"messages": [ask, turn, ask]})["messages"]
        assert sent[1] == {"role": "assistant", "content": BLOCKS}


def test_what_a_provider_needs_back_comes_back():
    """A call's signature, and thoughts among the parts, outlive the SDK's accumulator."""
    types = pytest.importorskip("anthropic.types")
    streaming = pytest.importorskip("anthropic.lib.streaming._messages")
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    signed = CALL | {"extra_content": {"google": {"thought_signature": "SIG=="}}}
    deltas = [{"content": [thought]}, {"content": "Hi"}, {"tool_calls": [{"index": 0, **signed}]}]
    said = [{"id": "c1", "model": "m", "choices": [{"delta": delta}]} for delta in deltas]
    said.append({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]})
    adapter = TypeAdapter(types.RawMessageStreamEvent)
    snapshot, buffers = None, {}
    for event in MESSAGES_TO_CHAT.stream(said, {}):
        snapshot = streaming.accumulate_event(
            event=adapter.validate_python(event, strict=True),
            current_snapshot=snapshot,
            json_bufs=buffers,
        )
    turn = {"role": "assistant", "content": snapshot.to_dict(mode="json")["content"]}
    sent = MESSAGES_TO_CHAT.request({"max_tokens": 9, "messages": [turn]})["messages"]
    parts = [thought, {"type": "text", "text": "Hi"}]
    assert sent == [{"role": "assistant", "content": parts, "tool_calls": [signed]}]

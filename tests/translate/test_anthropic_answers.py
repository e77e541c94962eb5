"""What a whole answer becomes for a caller of the other API."""

from __future__ import annotations

import pytest

from ai_gateway.errors import UpstreamError
from ai_gateway.translate.anthropic import CHAT_TO_MESSAGES, MESSAGES_TO_CHAT


def completion(message, finish="stop", usage=None, **choice):
    """A chat completion of one choice."""
    said = {"role": "assistant", "content": None, **message}
    choices = [{"index": 0, "message": said, "finish_reason": finish, **choice}]
    return {"id": "c1", "model": "m", "choices": choices, "usage": usage}


def to_messages(message, finish="stop", request=None, **more):
    """A chat completion, translated."""
    return MESSAGES_TO_CHAT.answer(completion(message, finish, **more), request or {})


def to_chat(*content, stop="end_turn", usage=None, **more):
    """A Messages answer, translated: its choice."""
    body = {"id": "msg_1", "type": "message", "model": "m", "content": list(content)}
    body |= {"stop_reason": stop, "usage": usage, **more}
    return CHAT_TO_MESSAGES.answer(body, {})


def call(identity="t1", name="f", arguments="{}"):
    """A tool call."""
    return {
        "id": identity,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


@pytest.mark.parametrize("reason", ["abort", "error", "network_error"])
def test_answer_that_was_broken_off(reason):
    """An answer that its model could not finish is a failure, however much came of it."""
    with pytest.raises(UpstreamError, match=reason):
        to_messages({"content": "half"}, reason)


def test_text_to_messages():
    """A text is one block; id, model and usage are the model's own."""
    usage = {
        "prompt_tokens": 30,
        "completion_tokens": 8,
        "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    assert to_messages({"content": "Hi"}, usage=usage) == {
        "id": "c1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 7,
            "output_tokens": 8,
            "cache_read_input_tokens": 20,
            "cache_creation_input_tokens": 3,
            "output_tokens_details": {"thinking_tokens": 5},
        },
    }


def test_text_to_chat():
    """Text blocks are one content; the prompt's tokens include those from and for the cache."""
    usage = {
        "input_tokens": 7,
        "output_tokens": 8,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 3,
        "output_tokens_details": {"thinking_tokens": 5},
    }
    sent = to_chat({"type": "text", "text": "H"}, {"type": "text", "text": "i"}, usage=usage)
    message = {"role": "assistant", "content": "Hi", "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    assert sent == {
        "id": "msg_1",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [choice],
        "usage": {
            "prompt_tokens": 30,
            "completion_tokens": 8,
            "total_tokens": 38,
            "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 5},
        },
    }


@pytest.mark.parametrize("usage", [None, {}, "many", {"prompt_tokens": -1}])
def test_usage_that_is_none(usage):
    """Where the model does not count, the counts that an SDK asks for are 0."""
    counts = to_messages({"content": ""}, usage=usage)["usage"]
    assert (counts["input_tokens"], counts["output_tokens"]) == (0, 0)
    counts = to_chat(usage=usage)["usage"]
    assert (counts["prompt_tokens"], counts["total_tokens"]) == (0, 0)


@pytest.mark.parametrize(
    ("finish", "stop"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("tool_calls", "tool_use"),
        ("function_call", "tool_use"),
        ("content_filter", "refusal"),
        ("made_up", "end_turn"),
        (None, "end_turn"),
    ],
)
def test_finish_reasons(finish, stop):
    """Why a chat completion ended, in the other API's words."""
    assert to_messages({"content": "x"}, finish)["stop_reason"] == stop


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        (None, "stop"),
    ],
)
def test_stop_reasons(stop, finish):
    """Why a Messages answer ended, in the other API's words."""
    assert to_chat(stop=stop)["choices"][0]["finish_reason"] == finish


def test_stop_sequences():
    """Which sequence ended an answer is said where vLLM says it, and read from there."""
    sent = to_messages({"content": "x"}, stop_reason="END")
    assert (sent["stop_reason"], sent["stop_sequence"]) == ("stop_sequence", "END")
    choice = to_chat(stop="stop_sequence", stop_sequence="END")["choices"][0]
    assert (choice["finish_reason"], choice["stop_reason"]) == ("stop", "END")
    token = to_messages({"content": "x"}, stop_reason=128009)
    assert (token["stop_reason"], token["stop_sequence"]) == ("end_turn", None)


def test_calls_to_messages():
    """Parallel calls keep ids, order and arguments, beside the text."""
    calls = [call("t1", "f", '{"a": 1}'), call("t2", "g", "")]
    sent = to_messages({"content": "I look.", "tool_calls": calls}, "tool_calls")
    assert sent["content"] == [
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "t2", "name": "g", "input": {}},
    ]
    assert sent["stop_reason"] == "tool_use"


def test_calls_to_chat():
    """Parallel calls keep ids, order and arguments; content is null where nothing was said."""
    blocks = [
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "t2", "name": "g", "input": {}},
    ]
    message = to_chat(*blocks, stop="tool_use")["choices"][0]["message"]
    assert message["content"] is None
    assert message["tool_calls"] == [call("t1", "f", '{"a":1}'), call("t2", "g")]


def test_named_tool_that_ends_with_stop():
    """A call that ends with stop, as a tool that was named does, is a call all the same."""
    assert to_messages({"tool_calls": [call()]}, "stop")["stop_reason"] == "tool_use"


@pytest.mark.parametrize("provider", ["google", "vertex"])
def test_signed_call_to_messages(provider):
    """A signature, without which Gemini takes no call back, is a block of its own before it."""
    extra = {"extra_content": {provider: {"thought_signature": "SIG=="}}}
    sent = to_messages({"tool_calls": [call() | extra, call("t2")]})
    assert sent["content"] == [
        {"type": "redacted_thinking", "data": f"{provider}.thought_signature;t1;SIG=="},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
        {"type": "tool_use", "id": "t2", "name": "f", "input": {}},
    ]


@pytest.mark.parametrize("extra", [None, {"google": 1}, {"google": {"thought_signature": None}}])
def test_call_with_other_extras(extra):
    """What is no signature beside a call says nothing."""
    sent = to_messages({"tool_calls": [call() | {"extra_content": extra}]})
    assert [block["type"] for block in sent["content"]] == ["tool_use"]


def test_invalid_arguments():
    """Arguments that are no JSON object reach the caller as they are."""
    sent = to_messages({"tool_calls": [call(arguments='{"a": ')]}, "length")
    assert sent["content"][0]["input"] == {"INVALID_JSON": '{"a": '}


def test_call_without_id():
    """A call that came without an id gets one that no other answer has."""
    sent = to_messages({"tool_calls": [call(identity=None), call(identity="")]})
    assert [block["id"] for block in sent["content"]] == ["call_c1_0", "call_c1_1"]


@pytest.mark.parametrize("calls", [[None], [{}], [{"function": {}}], [call(name=7)]])
def test_no_call(calls):
    """What is no call is the model's failure, never left out."""
    with pytest.raises(UpstreamError, match="tool call"):
        to_messages({"tool_calls": calls})


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_to_messages(name):
    """Reasoning is a thinking block before the text, unless the caller wants it left out."""
    message = {"content": "Hi", name: "hm"}
    text = {"type": "text", "text": "Hi"}
    thought = {"type": "thinking", "thinking": "hm", "signature": ""}
    assert to_messages(message)["content"] == [thought, text]
    request = {"thinking": {"type": "adaptive", "display": "omitted"}}
    assert to_messages(message, request=request)["content"] == [text]


def test_reasoning_details_to_messages():
    """Signed and encrypted reasoning of an OpenAI-compatible provider keeps what makes it so."""
    details = [
        {"type": "reasoning.text", "text": "hm", "signature": "s"},
        {"type": "reasoning.encrypted", "data": "ZZZ"},
        {"type": "reasoning.summary", "summary": "so"},
        {"type": "reasoning.text", "text": None},
    ]
    sent = to_messages({"reasoning": "hmso", "reasoning_details": details})
    assert sent["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "ZZZ"},
        {"type": "thinking", "thinking": "so", "signature": ""},
    ]


def test_reasoning_beside_encrypted_details():
    """What the details do not say is read of the plain field; who encrypted them stays known."""
    details = [
        {"type": "reasoning.encrypted", "data": "gA", "format": "openai-responses-v1", "id": "rs"}
    ]
    sent = to_messages({"content": "Hi", "reasoning": "so", "reasoning_details": details})
    assert sent["content"] == [
        {"type": "thinking", "thinking": "so", "signature": ""},
        {"type": "redacted_thinking", "data": "openai-responses-v1;rs;gA"},
        {"type": "text", "text": "Hi"},
    ]


def test_reasoning_in_parts_to_messages():
    """What was thought in parts of the content, as Mistral's models do, is a thinking block."""
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    sent = to_messages({"content": [thought, {"type": "text", "text": "Hi"}]})
    assert sent["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "content.thinking"},
        {"type": "text", "text": "Hi"},
    ]


def test_reasoning_among_the_parts_to_messages():
    """What Databricks' models thought, a part with its summary, is a thinking block."""
    summary = [{"type": "summary_text", "text": "hm"}]
    sent = to_messages({"content": [{"type": "reasoning", "summary": summary}, TEXT]})
    assert sent["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "text", "text": "Hi"},
    ]


TEXT = {"type": "text", "text": "Hi"}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}}


@pytest.mark.parametrize(
    "more",
    [
        {"images": [PICTURE]},
        {"audio": {"id": "a", "data": "QQ=="}},
        {"content": [{"type": "text", "text": "see"}, PICTURE]},
    ],
)
def test_what_the_messages_api_cannot_hold(more):
    """Pictures and sound are a failure, whole and streamed, never left out."""
    with pytest.raises(UpstreamError, match="cannot hold"):
        to_messages({"content": "see", **more})
    chunk = {"choices": [{"index": 0, "delta": more}]}
    with pytest.raises(UpstreamError, match="cannot hold"):
        list(MESSAGES_TO_CHAT.stream([chunk], {}))


def test_where_a_text_comes_from_is_left_out():
    """Annotations and references are left out: the text stands without them."""
    parts = [{"type": "text", "text": "So"}, {"type": "reference", "reference_ids": [1]}, "."]
    sent = to_messages({"content": parts, "annotations": [{"type": "url_citation"}]})
    assert sent["content"] == [{"type": "text", "text": "So."}]


def test_think_tags_stay_text():
    """Reasoning in the text itself is text: no rule tells it from a quotation."""
    said = "<think>hm</think>Hi"
    assert to_messages({"content": said})["content"] == [{"type": "text", "text": said}]


def test_reasoning_to_chat():
    """Thinking is reasoning_content; signatures and encrypted blocks are in reasoning_details."""
    message = to_chat(
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "ZZZ"},
        {"type": "text", "text": "Hi"},
    )["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("hm", "Hi")
    claude = {"format": "anthropic-claude-v1"}
    assert message["reasoning_details"] == [
        {"type": "reasoning.text", "index": 0, "text": "hm", "signature": "s", **claude},
        {"type": "reasoning.encrypted", "index": 1, "data": "ZZZ", **claude},
    ]


def test_refusals():
    """A refusal is text and a reason there, and a reason and its explanation here."""
    sent = to_messages({"refusal": "I cannot."}, "content_filter")
    assert sent["content"] == [{"type": "text", "text": "I cannot."}]
    assert sent["stop_reason"] == "refusal"
    details = {"type": "refusal", "explanation": "It could harm."}
    choice = to_chat(stop="refusal", stop_details=details)["choices"][0]
    assert (choice["finish_reason"], choice["message"]["refusal"]) == (
        "content_filter",
        "It could harm.",
    )


def test_ids_that_are_none():
    """An answer without an id and a model's name has empty ones."""
    sent = MESSAGES_TO_CHAT.answer({"choices": [{"message": {"content": "a"}}]}, {})
    assert (sent["id"], sent["model"]) == ("", "")
    sent = CHAT_TO_MESSAGES.answer({"content": []}, {})
    assert (sent["id"], sent["model"]) == ("", "")
    assert sent["choices"][0]["message"]["content"] == ""


@pytest.mark.parametrize(
    "block",
    [
        {"type": "server_tool_use"},
        {"type": "text"},
        {"type": ["text"]},
        {"type": "tool_use", "id": "t", "name": "f", "input": "{}"},
    ],
)
def test_blocks_without_counterpart(block):
    """A block that a chat completion cannot hold is a failure, never left out."""
    with pytest.raises(UpstreamError):
        to_chat(block)


@pytest.mark.parametrize("body", [{}, {"choices": []}, {"choices": [{}]}, {"content": "x"}])
def test_no_answer(body):
    """What is no answer is an UpstreamError."""
    for translation in (MESSAGES_TO_CHAT, CHAT_TO_MESSAGES):
        with pytest.raises(UpstreamError):
            translation.answer(body, {})

"""A Responses request becomes a chat-completions request, or is refused by name."""

from typing import Any

import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st

from ai_gateway.errors import BadRequest
from ai_gateway.translate.responses import RESPONSES_TO_CHAT

WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}}


def chat(**body: Any) -> dict[str, Any]:
    """What a model is asked for a caller's ``body``."""
    return RESPONSES_TO_CHAT.request({"model": "model-a", "input": "Hi", **body})


def messages(*items: Any) -> list[dict[str, Any]]:
    """The messages that a model is sent for input ``items``."""
    found: list[dict[str, Any]] = chat(input=list(items))["messages"]
    return found


def test_a_string_is_what_the_user_says() -> None:
    """The shortest request is one user message and nothing else."""
    assert chat() == {"model": "model-a", "messages": [{"role": "user", "content": "Hi"}]}


def test_instructions_come_first() -> None:
    """Instructions are the system's first words."""
    found = chat(instructions="Be brief.", input=[{"role": "developer", "content": "In French."}])
    assert found["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "system", "content": "In French."},
    ]


def test_a_conversation_keeps_its_order() -> None:
    """Messages, calls and results are said in order; reasoning is left out, calls are joined."""
    assert messages(
        {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [
                {"type": "output_text", "text": "Let me ", "annotations": [], "logprobs": []},
                {"type": "refusal", "refusal": "look."},
                {"type": "input_text", "text": " Now."},
            ],
        },
        {"type": "function_call", "call_id": "c1", "name": "get", "arguments": "{}", "id": "fc"},
        {"type": "function_call", "call_id": "c2", "name": "get", "arguments": '{"a":1}'},
        {"type": "function_call_output", "call_id": "c1", "output": "rain"},
        {
            "type": "function_call_output",
            "call_id": "c2",
            "output": [{"type": "input_text", "text": "sun"}, {"type": "text", "text": "!"}],
        },
    ) == [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": "Let me look. Now.",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "get", "arguments": "{}"}},
                {
                    "id": "c2",
                    "type": "function",
                    "function": {"name": "get", "arguments": '{"a":1}'},
                },
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
        {"role": "tool", "tool_call_id": "c2", "content": "sun!"},
    ]


def test_a_call_without_words_before_it_is_a_message_of_its_own() -> None:
    """Calls after a user's words stand in an assistant's message without content."""
    call = {"type": "function_call", "call_id": "c1", "name": "get", "arguments": "{}"}
    found = messages({"role": "user", "content": "Hi"}, call)
    assert found[1]["content"] is None
    assert [call["id"] for call in found[1]["tool_calls"]] == ["c1"]


def test_a_signature_goes_back_beside_its_call() -> None:
    """What signs a call is said beside it; other reasoning is left out."""
    found = messages(
        {"type": "reasoning", "summary": [], "encrypted_content": "google.thought_signature;c2;S="},
        {"type": "reasoning", "summary": [], "encrypted_content": "format;c1;S="},
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "call_id": "c1", "name": "get", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "get", "arguments": "{}"},
    )
    assert [call.get("extra_content") for call in found[0]["tool_calls"]] == [
        None,
        {"google": {"thought_signature": "S="}},
    ]


def test_words_after_a_call_stand_before_its_result() -> None:
    """What the assistant said after a call joins its message: a result comes right after calls."""
    call = {"type": "function_call", "call_id": "c1", "name": "get", "arguments": "{}"}
    said = [{"role": "assistant", "content": text} for text in ("I look.", "\n")]
    result = {"type": "function_call_output", "call_id": "c1", "output": "rain"}
    for before in ([], said[:1]):
        found = messages({"role": "user", "content": "Hi"}, *before, call, said[1], result, said[0])
        assert [message["role"] for message in found] == ["user", "assistant", "tool", "assistant"]
        assert found[1]["content"] == ("I look.\n" if before else "\n")
        assert [called["id"] for called in found[1]["tool_calls"]] == ["c1"]


def test_images_and_audio_are_parts() -> None:
    """What a user shows or says is passed in chat's own parts."""
    sound = {"data": "UklG", "format": "wav"}
    content = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"},
        {"type": "input_image", "image_url": "https://example.org/a.png", "file_id": None},
        {"type": "input_audio", "input_audio": sound},
    ]
    assert messages({"role": "user", "content": content})[0]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "input_audio", "input_audio": sound},
    ]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"max_output_tokens": 5}, {"max_tokens": 5}),
        ({"temperature": 0, "top_p": 0.5}, {"temperature": 0, "top_p": 0.5}),
        ({"user": "u", "safety_identifier": "s"}, {"user": "u", "safety_identifier": "s"}),
        ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
        ({"top_k": 4, "some_engine": {"own": 1}}, {"top_k": 4, "some_engine": {"own": 1}}),
        ({"reasoning": {"effort": "low", "summary": None}}, {"reasoning_effort": "low"}),
        ({"reasoning": {}}, {}),
        ({"text": {"verbosity": "low"}}, {"verbosity": "low"}),
        ({"text": {"format": {"type": "text"}}}, {}),
        (
            {"text": {"format": {"type": "json_object"}}},
            {"response_format": {"type": "json_object"}},
        ),
        (
            {"text": {"format": {"type": "json_schema", "name": "w", "schema": WEATHER}}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "w", "schema": WEATHER},
                }
            },
        ),
        ({"include": ["message.output_text.logprobs"]}, {"logprobs": True}),
        ({"include": []}, {}),
        ({"top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
        ({"top_logprobs": 0}, {}),
        ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
        ({"stream": False, "stream_options": {"include_obfuscation": False}}, {}),
        ({"store": True, "metadata": {"a": "b"}, "max_tool_calls": 3}, {}),
        ({"background": False, "truncation": "disabled", "conversation": None}, {}),
        ({"tool_choice": "required"}, {"tool_choice": "required"}),
        (
            {"tool_choice": {"type": "function", "name": "get"}},
            {"tool_choice": {"type": "function", "function": {"name": "get"}}},
        ),
        ({"tools": []}, {}),
        (
            {"tools": [{"type": "function", "name": "get", "parameters": WEATHER, "strict": True}]},
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {"name": "get", "parameters": WEATHER, "strict": True},
                    }
                ]
            },
        ),
        (
            {"tools": [{"type": "function", "name": "get", "description": None}]},
            {"tools": [{"type": "function", "function": {"name": "get"}}]},
        ),
    ],
)
def test_parameters_keep_their_meaning(given: dict[str, Any], sent: dict[str, Any]) -> None:
    """Each parameter is said as chat says it; names that chat shares or nobody knows pass."""
    found = chat(**given)
    assert {key: found[key] for key in found if key not in ("model", "messages")} == sent


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"context_management": [{"type": "compaction"}]}, "context_management"),
        ({"background": True}, "background"),
        ({"truncation": "auto"}, "truncation"),
        ({"include": ["reasoning.encrypted_content"]}, "include"),
        ({"include": "all"}, "include"),
        ({"messages": []}, "messages"),
        ({"n": 2}, "n"),
        ({"max_tokens": 5}, "max_tokens"),
        ({"max_output_tokens": "5"}, "max_output_tokens"),
        ({"max_output_tokens": True}, "max_output_tokens"),
        ({"metadata": "a"}, "metadata"),
        ({"reasoning": {"summary": "auto"}}, "reasoning.summary"),
        ({"reasoning": "low"}, "reasoning"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
        ({"text": {"format": {}}}, "text.format.type"),
        ({"text": {"format": {"type": "text", "schema": {}}}}, "text.format.schema"),
        ({"text": {"font": "bold"}}, "text.font"),
        ({"stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        ({"stream_options": {"include_usage": True}}, "stream_options.include_usage"),
        ({"tools": "get"}, "tools"),
        ({"tools": ["get"]}, "tools.0"),
        ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
        ({"tools": [{"type": "mcp", "server_url": "https://x"}]}, "tools.0.type"),
        ({"tools": [{"type": "function"}]}, "tools.0.name"),
        ({"tools": [{"type": "function", "name": "a", "async": True}]}, "tools.0.async"),
        ({"tool_choice": {"type": "file_search"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"tool_choice": 1}, "tool_choice"),
        ({"instructions": ["a"]}, "instructions"),
        ({"input": None}, "input"),
        ({"input": {"role": "user"}}, "input"),
        ({"input": ["Hi"]}, "input.0"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.0.type"),
        ({"input": [{"type": "web_search_call"}]}, "input.0.type"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input.0.role"),
        ({"input": [{"content": "x"}]}, "input.0.role"),
        ({"input": [{"role": ["user"], "content": "x"}]}, "input.0.role"),
        ({"input": [{"role": "user"}]}, "input.0.content"),
        ({"input": [{"role": "user", "content": "x", "name": "Ann"}]}, "input.0.name"),
    ],
)
def test_what_chat_cannot_say_is_refused_by_name(given: dict[str, Any], param: str) -> None:
    """Nothing is dropped in silence: the refusal names the parameter."""
    with pytest.raises(BadRequest) as refused:
        chat(**given)
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("role", "part", "param"),
    [
        ("user", {"type": "input_file", "file_data": "AA=="}, "input.0.content.0.type"),
        ("user", {"type": ["input_text"]}, "input.0.content.0.type"),
        ("user", {"type": "input_image", "file_id": "f"}, "input.0.content.0.file_id"),
        ("user", {"type": "input_image"}, "input.0.content.0.image_url"),
        ("user", {"type": "input_audio"}, "input.0.content.0.input_audio"),
        ("user", {"type": "input_text"}, "input.0.content.0.text"),
        ("user", {"type": "input_text", "text": "a", "new": 1}, "input.0.content.0.new"),
        ("user", {"type": "text", "text": 1}, "input.0.content.0.text"),
        ("assistant", {"type": "input_image", "image_url": "x"}, "input.0.content.0.type"),
        ("assistant", {"type": "output_text"}, "input.0.content.0.text"),
        ("assistant", {"type": ["output_text"]}, "input.0.content.0.type"),
    ],
)
def test_parts_that_chat_has_not_are_refused(role: str, part: dict[str, Any], param: str) -> None:
    """A part of a message is passed on whole or refused by its place."""
    with pytest.raises(BadRequest) as refused:
        messages({"role": role, "content": [part]})
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"type": "function_call", "call_id": "c", "name": "n"}, "input.0.arguments"),
        ({"type": "function_call", "name": "n", "arguments": "{}"}, "input.0.call_id"),
        (
            {
                "type": "function_call",
                "call_id": "c",
                "name": "n",
                "arguments": "{}",
                "namespace": "x",
            },
            "input.0.namespace",
        ),
        ({"type": "function_call_output", "output": "x"}, "input.0.call_id"),
        ({"type": "function_call_output", "call_id": "c"}, "input.0.output"),
        (
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image"}]},
            "input.0.output.0.type",
        ),
    ],
)
def test_calls_and_results_are_whole(item: dict[str, Any], param: str) -> None:
    """A call or result without what chat requires is refused by its place."""
    with pytest.raises(BadRequest) as refused:
        messages(item)
    assert refused.value.param == param


WORDS = st.sampled_from(
    (
        *("type", "role", "content", "text", "name", "output", "call_id", "arguments", "format"),
        *("message", "user", "assistant", "function_call", "function_call_output", "input_text"),
        *("output_text", "input_image", "function", "json_schema", "effort", "image_url"),
    )
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
KEYS = ("input", "tools", "tool_choice", "text", "reasoning", "include", "stream_options")


@given_any(st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_whatever_comes_is_translated_or_refused(body: dict[str, Any]) -> None:
    """No body breaks the translation: it gives messages, or names what is wrong."""
    try:
        named = bool(chat(**body)["messages"] is not None)
    except BadRequest as refused:
        named = bool(refused.param)
    assert named

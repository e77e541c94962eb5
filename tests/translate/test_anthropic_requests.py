"""What a request becomes on its way to a model of the other API, and what is refused by name.

One file: a table of cases, both ways beside each other.
"""

from __future__ import annotations

import pytest

from ai_gateway.errors import BadRequest
from ai_gateway.translate.anthropic import CHAT_TO_MESSAGES, MESSAGES_TO_CHAT

USER = {"role": "user", "content": "Hello"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0="}


def to_chat(**body):
    """A Messages request, translated."""
    return MESSAGES_TO_CHAT.request({"max_tokens": 9, "messages": [USER], **body})


def to_messages(**body):
    """A chat completion's request, translated."""
    return CHAT_TO_MESSAGES.request({"messages": [USER], **body})


def test_least_to_chat():
    """A request of the three keys that must be there becomes one of three keys."""
    assert to_chat(model="m") == {"model": "m", "messages": [USER], "max_tokens": 9}


def test_least_to_messages():
    """max_tokens, which the Messages API must be told, is 4096 where the caller says nothing."""
    assert to_messages(model="m") == {"model": "m", "messages": [USER], "max_tokens": 4096}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"system": "Be brief."}, {"role": "system", "content": "Be brief."}),
        (
            {"system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
            {"role": "system", "content": "a"},
        ),
        (
            {"system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {
                "role": "system",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            },
        ),
    ],
)
def test_system_to_chat(given, sent):
    """The system prompt is the first message."""
    assert to_chat(**given)["messages"] == [sent, USER]


@pytest.mark.parametrize("system", ["", [], None])
def test_empty_system(system):
    """An empty system prompt is none."""
    assert to_chat(system=system)["messages"] == [USER]


def test_system_to_messages():
    """First system and developer messages are the system prompt; a later one keeps its place."""
    late = {"role": "system", "content": "c"}
    first = [{"role": "system", "content": "a"}, {"role": "developer", "content": "b"}]
    sent = to_messages(messages=[*first, USER, late])
    assert sent["system"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    block = {"type": "text", "text": "c"}
    assert sent["messages"] == [USER, {"role": "system", "content": [block]}]
    assert to_chat(messages=sent["messages"])["messages"] == [USER, late]


@pytest.mark.parametrize(
    ("messages", "chat"),
    [
        ({"temperature": 0.5, "top_p": 0.9, "top_k": 5}, None),
        ({"stop_sequences": ["a", "b"]}, {"stop": ["a", "b"]}),
        ({"metadata": {"user_id": "u"}}, {"user": "u"}),
        ({"service_tier": "auto"}, {"service_tier": "auto"}),
        ({"service_tier": "standard_only"}, {"service_tier": "default"}),
        ({"stream": False}, {"stream": False}),
        ({"tool_choice": {"type": "auto"}}, {"tool_choice": "auto"}),
        ({"tool_choice": {"type": "any"}}, {"tool_choice": "required"}),
        ({"tool_choice": {"type": "none"}}, {"tool_choice": "none"}),
        (
            {"tool_choice": {"type": "tool", "name": "f"}},
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        ),
        (
            {"tools": [{"name": "f", "description": "d", "strict": True, "input_schema": SCHEMA}]},
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {
                            "name": "f",
                            "description": "d",
                            "strict": True,
                            "parameters": SCHEMA,
                        },
                    }
                ]
            },
        ),
        (
            {"output_config": {"effort": "high"}, "thinking": {"type": "adaptive"}},
            {"reasoning_effort": "high"},
        ),
        ({"thinking": {"type": "disabled"}}, {"reasoning_effort": "none"}),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
                }
            },
        ),
    ],
)
def test_parameters_both_ways(messages, chat):
    """What both APIs can say becomes the same there and back."""
    chat = messages if chat is None else chat
    least = {"messages": [USER], "max_tokens": 9}
    assert to_chat(**messages) == least | chat
    assert to_messages(max_tokens=9, **chat) == least | messages


@pytest.mark.parametrize(
    ("chat", "messages"),
    [
        ({"stop": "a"}, {"stop_sequences": ["a"]}),
        ({"max_completion_tokens": 5}, {"max_tokens": 5}),
        ({"max_completion_tokens": 5, "max_tokens": 5}, {"max_tokens": 5}),
        ({"safety_identifier": "u"}, {"metadata": {"user_id": "u"}}),
        ({"safety_identifier": "u", "user": "u"}, {"metadata": {"user_id": "u"}}),
        ({"parallel_tool_calls": False}, {}),
        ({"response_format": {"type": "text"}}, {}),
        ({"n": 1, "logprobs": False, "logit_bias": {}, "store": False}, {}),
        ({"presence_penalty": 0, "frequency_penalty": 0.0, "top_logprobs": None}, {}),
        ({"prompt_cache_key": "k"}, {}),
        ({"stream": True, "stream_options": {"include_usage": True}}, {"stream": True}),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, None),
        ({"add_generation_prompt": True, "continue_final_message": False}, {}),
    ],
)
def test_parameters_to_messages(chat, messages):
    """What a chat completion's caller says in another way, or what changes nothing, is taken."""
    sent = to_messages(**chat)
    expected = chat if messages is None else messages
    assert sent == {"messages": [USER], "max_tokens": 4096} | expected


@pytest.mark.parametrize(
    ("messages", "chat"),
    [
        ({"thinking": {"type": "adaptive"}}, {}),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, {"reasoning_effort": "low"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 4096}}, {"reasoning_effort": "medium"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 31999}}, {"reasoning_effort": "high"}),
        (
            {
                "thinking": {"type": "enabled", "budget_tokens": 1024},
                "output_config": {"effort": "max"},
            },
            {"reasoning_effort": "max"},
        ),
        (
            {"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}},
            {"reasoning_effort": "none"},
        ),
        ({"min_p": 0.1, "seed": 3, "repetition_penalty": 1.1}, None),
        ({"cache_control": {"type": "ephemeral"}, "speed": "standard", "metadata": {}}, {}),
        ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
    ],
)
def test_parameters_to_chat(messages, chat):
    """What a Messages caller says in another way, or what vLLM takes beside, is taken."""
    expected = messages if chat is None else chat
    assert to_chat(**messages) == {"messages": [USER], "max_tokens": 9} | expected


def test_no_parallel_calls():
    """One call at a time is said where each API says it."""
    tools = [{"name": "f", "input_schema": SCHEMA}]
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    sent = to_chat(tools=tools, tool_choice=choice)
    assert (sent["tool_choice"], sent["parallel_tool_calls"]) == ("auto", False)
    assert to_messages(**sent)["tool_choice"] == choice
    sent = to_messages(tools=sent["tools"], parallel_tool_calls=False)
    assert sent["tool_choice"] == choice
    sent = to_messages(tools=to_chat(tools=tools)["tools"], tool_choice="none")
    assert sent["tool_choice"] == {"type": "none"}


def test_tool_without_parameters():
    """A function without parameters takes an empty object."""
    sent = to_messages(tools=[{"type": "function", "function": {"name": "f"}}])
    empty = {"type": "object", "properties": {}}
    assert sent["tools"] == [{"name": "f", "input_schema": empty}]


def test_described_format():
    """What describes the answer stands in the schema, where the Messages API reads it."""
    named = {"name": "n", "description": "d", "strict": False, "schema": SCHEMA}
    sent = to_messages(response_format={"type": "json_schema", "json_schema": named})
    schema = {"description": "d", **SCHEMA}
    assert sent["output_config"] == {"format": {"type": "json_schema", "schema": schema}}


def test_format_described_twice():
    """A description beside the schema and the schema's own are both said, once where they agree."""
    named = {"name": "n", "description": "d", "schema": SCHEMA}
    for own, said in (("e", "d\ne"), ("d", "d")):
        schema = {"description": own, **SCHEMA}
        wanted = {"type": "json_schema", "json_schema": named | {"schema": schema}}
        sent = to_messages(response_format=wanted)["output_config"]["format"]
        assert sent["schema"] == {**SCHEMA, "description": said}


def test_effort_to_messages():
    """An effort is adaptive thinking of that effort."""
    sent = to_messages(reasoning_effort="low")
    assert sent["thinking"] == {"type": "adaptive"}
    assert sent["output_config"] == {"effort": "low"}


def test_tool_loop_both_ways():
    """Calls and results keep their ids, arguments and order; results stand in one user's turn."""
    messages = [
        USER,
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"city": "Öhr"}},
                {"type": "tool_use", "id": "t2", "name": "f", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "rain"},
                {"type": "tool_result", "tool_use_id": "t2", "content": ""},
            ],
        },
        {"role": "user", "content": "And now?"},
    ]
    chat = to_chat(messages=messages)["messages"]
    assert [turn["role"] for turn in chat] == ["user", "assistant", "tool", "tool", "user"]
    assert chat[1]["content"] == "I look."
    calls = [(call["id"], call["function"]["arguments"]) for call in chat[1]["tool_calls"]]
    assert calls == [("t1", '{"city":"Öhr"}'), ("t2", "{}")]
    assert chat[2] == {"role": "tool", "tool_call_id": "t1", "content": "rain"}
    assert to_messages(messages=chat)["messages"] == messages


def test_results_beside_words():
    """A turn of results and words becomes the results' messages, and then the words'."""
    text = {"type": "text", "text": "x"}
    result = {"type": "tool_result", "tool_use_id": "t"}
    chat = to_chat(messages=[{"role": "user", "content": [result, text, text]}])["messages"]
    tool = {"role": "tool", "tool_call_id": "t", "content": ""}
    assert chat == [tool, {"role": "user", "content": [text, text]}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("no such city", "Error: no such city"),
        ([{"type": "text", "text": "no"}], "Error: no"),
        ([], "Error: "),
        (
            [{"type": "text", "text": "no"}, {"type": "text", "text": "city"}],
            [
                {"type": "text", "text": "Error: "},
                {"type": "text", "text": "no"},
                {"type": "text", "text": "city"},
            ],
        ),
    ],
)
def test_failed_tool(content, said):
    """A tool that failed is said to have failed, in words: a tool message has no field for it."""
    result = {"type": "tool_result", "tool_use_id": "t", "is_error": True, "content": content}
    chat = to_chat(messages=[{"role": "user", "content": [result]}])["messages"]
    assert chat == [{"role": "tool", "tool_call_id": "t", "content": said}]


@pytest.mark.parametrize("arguments", ['{"a": ', "[1]", "7", '{"a":1,"a":2}'])
def test_arguments_of_no_object(arguments):
    """Arguments that are no JSON object are wrapped as they are, and come back as they were."""
    function = {"name": "f", "arguments": arguments}
    call = {"id": "t", "type": "function", "function": function}
    turn = {"role": "assistant", "content": None, "tool_calls": [call]}
    sent = to_messages(messages=[turn, USER])["messages"]
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {"INVALID_JSON": arguments}}
    assert sent[0]["content"] == [block]
    assert to_chat(messages=sent)["messages"] == [turn, USER]


@pytest.mark.parametrize(("arguments", "given"), [("", {}), (None, {}), ({"a": 1}, {"a": 1})])
def test_arguments_of_lax_clients(arguments, given):
    """No arguments are an empty object, and an object in place of its JSON is taken."""
    call = {"id": "t", "function": {"name": "f", "arguments": arguments}}
    turn = {"role": "assistant", "tool_calls": [call]}
    sent = to_messages(messages=[turn, USER])["messages"]
    assert sent[0]["content"][0]["input"] == given


def test_images_and_files_both_ways():
    """Images, by URL and by their bytes, and PDFs become the same there and back."""
    messages = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image", "source": PNG},
                {"type": "image", "source": {"type": "url", "url": "https://host.example/a"}},
                {"type": "document", "source": PDF, "title": "a.pdf"},
            ],
        }
    ]
    chat = to_chat(messages=messages)["messages"]
    file = {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"}
    assert chat[0]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0="}},
        {"type": "image_url", "image_url": {"url": "https://host.example/a"}},
        {"type": "file", "file": file},
    ]
    assert to_messages(messages=chat)["messages"] == messages


@pytest.mark.parametrize("head", ["data:image/png;charset=utf-8;a=b", "DATA:image/PNG"])
def test_data_with_parameters(head):
    """A data URL is one with parameters too, and in any letters."""
    part = {"type": "image_url", "image_url": {"url": f"{head};base64,iVBORw0="}}
    sent = to_messages(messages=[{"role": "user", "content": [part]}])["messages"]
    assert sent[0]["content"] == [{"type": "image", "source": PNG}]


def test_unnamed_file():
    """A PDF without a name is a document without a title."""
    part = {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}}
    sent = to_messages(messages=[{"role": "user", "content": [part]}])["messages"]
    assert sent[0]["content"] == [{"type": "document", "source": PDF}]


def test_result_in_parts():
    """A tool's result in parts of text becomes blocks of text."""
    part = {"type": "text", "text": "rain"}
    turn = {"role": "tool", "tool_call_id": "t", "content": [part]}
    sent = to_messages(messages=[turn])["messages"]
    assert sent[0]["content"][0]["content"] == [part]


def test_thoughts_both_ways():
    """Thoughts, signatures and encrypted thoughts come back to Anthropic as they were."""
    messages = [
        USER,
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s1"},
                {"type": "thinking", "thinking": "so", "signature": "s2"},
                {"type": "redacted_thinking", "data": "ZZZ"},
                {"type": "text", "text": "Hi"},
            ],
        },
        USER,
    ]
    chat = to_chat(messages=messages)["messages"]
    assert chat[1]["content"] == "Hi"
    assert chat[1]["reasoning"] == chat[1]["reasoning_content"] == "hmso"
    assert to_messages(messages=chat)["messages"] == messages


def test_thoughts_without_signature():
    """What an OpenAI model thought goes back to one as it was, under both of its names."""
    block = {"type": "thinking", "thinking": "hm", "signature": ""}
    chat = to_chat(messages=[USER, {"role": "assistant", "content": [block]}, USER])["messages"]
    thought = {"reasoning": "hm", "reasoning_content": "hm"}
    assert chat[1] == {"role": "assistant", "content": None, **thought}


def test_thoughts_of_other_providers():
    """What another provider than Anthropic encrypted or signed goes back as it came."""
    blocks = [
        {"type": "thinking", "thinking": "so", "signature": ""},
        {"type": "redacted_thinking", "data": "openai-responses-v1;rs;gA"},
        {"type": "thinking", "thinking": "hm", "signature": "google-gemini-v1;;s"},
    ]
    chat = to_chat(messages=[{"role": "assistant", "content": blocks}, USER])["messages"]
    assert chat[0]["reasoning"] == "sohm"
    assert chat[0]["reasoning_details"] == [
        {
            "type": "reasoning.encrypted",
            "index": 0,
            "format": "openai-responses-v1",
            "data": "gA",
            "id": "rs",
        },
        {
            "type": "reasoning.text",
            "index": 1,
            "format": "google-gemini-v1",
            "text": "hm",
            "signature": "s",
        },
    ]


def test_thoughts_in_parts():
    """What was thought in parts of the content goes back there: Mistral refuses other names."""
    blocks = [
        {"type": "thinking", "thinking": "hm", "signature": "content.thinking"},
        {"type": "text", "text": "Hi"},
    ]
    chat = to_chat(messages=[USER, {"role": "assistant", "content": blocks}, USER])["messages"]
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    assert chat[1] == {"role": "assistant", "content": [thought, blocks[1]]}


def test_signed_call_to_chat():
    """A call's signature goes back beside the call that it names; no other model reads it."""
    blocks = [
        {"type": "redacted_thinking", "data": "google.thought_signature;t1;SIG=="},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
        {"type": "tool_use", "id": "t2", "name": "f", "input": {}},
    ]
    [turn] = to_chat(messages=[{"role": "assistant", "content": blocks}, USER])["messages"][:1]
    first, second = turn["tool_calls"]
    assert first["extra_content"] == {"google": {"thought_signature": "SIG=="}}
    assert ("extra_content" in second, "reasoning_details" in turn) == (False, False)
    assert to_messages(messages=[turn, USER])["messages"][0]["content"] == blocks[1:]


def test_thoughts_in_pieces():
    """reasoning_details that a client kept as a stream's pieces are put together."""
    pieces = [
        {"type": "reasoning.text", "index": 0, "text": "h"},
        {"type": "reasoning.text", "index": 0, "text": "m"},
        {"type": "reasoning.text", "index": 0, "signature": "s"},
        {"type": "reasoning.summary", "summary": None},
    ]
    turn = {"role": "assistant", "content": "Hi", "reasoning_details": pieces}
    sent = to_messages(messages=[turn, USER])["messages"]
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    assert sent[0]["content"] == [thought, {"type": "text", "text": "Hi"}]


def test_prefill_both_ways():
    """An answer that the caller began is continued by either model."""
    messages = [USER, {"role": "assistant", "content": "The answer is ("}]
    chat = to_chat(messages=messages)
    assert (chat["continue_final_message"], chat["add_generation_prompt"]) == (True, False)
    assert to_messages(**chat) == {"messages": messages, "max_tokens": 9}


def test_assistant_of_a_client():
    """An assistant's message as the OpenAI SDK gives it back, with its empty fields, is taken."""
    turn = {
        "role": "assistant",
        "content": "",
        "refusal": "I cannot.",
        "annotations": [],
        "audio": None,
        "function_call": None,
        "tool_calls": None,
    }
    sent = to_messages(messages=[USER, turn, USER])["messages"]
    text = {"type": "text", "text": "I cannot."}
    assert sent[1] == {"role": "assistant", "content": [text]}
    parts = [{"type": "refusal", "refusal": "No."}]
    sent = to_messages(messages=[{"role": "assistant", "content": parts}, USER])["messages"]
    assert sent[0]["content"] == [{"type": "text", "text": "No."}]


def test_assistant_of_anthropics_client():
    """An assistant's message as Anthropic's SDK gives it back, with its nulls, is taken."""
    blocks = [
        {"type": "text", "text": "a", "citations": None, "parsed_output": None},
        {"type": "tool_use", "id": "t", "name": "f", "input": {}, "caller": {"type": "direct"}},
    ]
    turn = to_chat(messages=[USER, {"role": "assistant", "content": blocks}])["messages"][1]
    assert (turn["content"], turn["tool_calls"][0]["id"]) == ("a", "t")


def user(*blocks):
    """Messages of one user's turn."""
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def assistant(*blocks):
    """Messages that end with the assistant's turn."""
    return {"messages": [USER, {"role": "assistant", "content": list(blocks)}]}


TOOL = {"name": "f", "input_schema": SCHEMA}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"messages": None}, "messages"),
        ({"messages": ["x"]}, "messages.0"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": []}]}, "messages.0.content"),
        ({"messages": [{**USER, "name": "n"}]}, "messages.0.name"),
        ({"made_up": 1}, "made_up"),
        ({"container": "c"}, "container"),
        ({"mcp_servers": []}, "mcp_servers"),
        ({"inference_geo": "eu"}, "inference_geo"),
        ({"context_management": {}}, "context_management"),
        ({"speed": "fast"}, "speed"),
        ({"service_tier": "priority"}, "service_tier"),
        ({"metadata": {"other": 1}}, "metadata.other"),
        ({"stop_sequences": "x"}, "stop_sequences"),
        ({"stream": "yes"}, "stream"),
        ({"thinking": {"type": "between_tools"}}, "thinking.type"),
        ({"thinking": {"type": "enabled", "more": 1}}, "thinking.more"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
        ({"output_config": {"task_budget": {}}}, "output_config.task_budget"),
        ({"tools": [{"type": "web_search_20250305", "name": "w"}]}, "tools.0.type"),
        ({"tools": [{**TOOL, "defer_loading": True}]}, "tools.0.defer_loading"),
        ({"tools": [{**TOOL, "allowed_callers": ["code"]}]}, "tools.0.allowed_callers"),
        ({"tools": [{**TOOL, "input_examples": [{}]}]}, "tools.0.input_examples"),
        ({"tool_choice": {"type": "made_up"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"system": [{"type": "image", "source": PNG}]}, "system.0.type"),
        (user({"type": "search_result"}), "messages.0.content.0.type"),
        (user({"type": "text", "text": "x", "new": 1}), "messages.0.content.0.new"),
        (
            user({"type": "image", "source": {"type": "file", "file_id": "f"}}),
            "messages.0.content.0.source.type",
        ),
        (
            user({"type": "document", "source": {"type": "url", "url": "u"}}),
            "messages.0.content.0.source.type",
        ),
        (
            user({"type": "document", "source": PDF, "citations": {"enabled": True}}),
            "messages.0.content.0.citations",
        ),
        (
            user({"type": "document", "source": PDF, "context": "c"}),
            "messages.0.content.0.context",
        ),
        (
            user(
                {
                    "type": "tool_result",
                    "tool_use_id": "t",
                    "content": [{"type": "image", "source": PNG}],
                }
            ),
            "messages.0.content.0.content.0.type",
        ),
        (assistant({"type": "server_tool_use"}), "messages.1.content.0.type"),
        (assistant({"type": "tool_use", "id": "t", "name": "f"}), "messages.1.content.0.input"),
        (
            assistant({"type": "text", "text": "x", "citations": [{}]}),
            "messages.1.content.0.citations",
        ),
    ],
)
def test_refused_to_chat(body, param):
    """What an OpenAI model cannot be told is a 400 that names it, and so is what is malformed."""
    with pytest.raises(BadRequest) as raised:
        to_chat(**body)
    assert raised.value.param == param
    assert raised.value.message.startswith(f"{param}: ")


def chat_user(part):
    """A user's message of one part."""
    return {"messages": [{"role": "user", "content": [part]}]}


def chat_assistant(**turn):
    """An assistant's message, and a user's."""
    return {"messages": [{"role": "assistant", **turn}, USER]}


FUNCTION = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
        ({"messages": [{"content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "function", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{**USER, "name": "n"}]}, "messages.0.name"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        (
            {"messages": [{"role": "system", "content": [{"type": "x"}]}]},
            "messages.0.content.0.type",
        ),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.tool_call_id"),
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"seed": 1}, "seed"),
        ({"logit_bias": {"1": 2}}, "logit_bias"),
        ({"frequency_penalty": 0.1}, "frequency_penalty"),
        ({"presence_penalty": -1}, "presence_penalty"),
        ({"audio": {}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"prediction": {}}, "prediction"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"store": True}, "store"),
        ({"metadata": {"a": "b"}}, "metadata"),
        ({"verbosity": "low"}, "verbosity"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"functions": []}, "functions"),
        ({"made_up": 1}, "made_up"),
        ({"min_p": 0.1}, "min_p"),
        ({"temperature": 1.5}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"max_tokens": 1, "max_completion_tokens": 2}, "max_tokens"),
        ({"user": "a", "safety_identifier": "b"}, "user"),
        ({"stop": 7}, "stop"),
        ({"stop": ["a", 7]}, "stop.1"),
        ({"reasoning_effort": "minimal"}, "reasoning_effort"),
        ({"reasoning_effort": "low", "thinking": {"type": "disabled"}}, "reasoning_effort"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"stream_options": {"continuous_usage_stats": True}},
            "stream_options.continuous_usage_stats",
        ),
        ({"continue_final_message": True}, "continue_final_message"),
        ({"add_generation_prompt": False}, "add_generation_prompt"),
        ({"tools": [{"type": "custom", "custom": {}}]}, "tools.0.type"),
        ({"tools": [{**FUNCTION, "more": 1}]}, "tools.0.more"),
        ({"tool_choice": "made_up"}, "tool_choice"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {}}}, "tool_choice.function.name"),
        (
            {"tool_choice": {"type": "function", "function": {"name": "f", "x": 1}}},
            "tool_choice.function.x",
        ),
        (chat_user({"type": "input_audio"}), "messages.0.content.0.type"),
        (
            chat_user({"type": "image_url", "image_url": {"url": "data:image/svg+xml,<svg/>"}}),
            "messages.0.content.0.image_url.url",
        ),
        (
            chat_user({"type": "image_url", "image_url": {"url": "u", "detail": "high"}}),
            "messages.0.content.0.image_url.detail",
        ),
        (
            chat_user({"type": "file", "file": {"file_id": "f"}}),
            "messages.0.content.0.file.file_data",
        ),
        (
            chat_user({"type": "file", "file": {"file_data": "data:text/plain;base64,AA=="}}),
            "messages.0.content.0.file.file_data",
        ),
        (
            chat_user({"type": "file", "file": {"file_data": "AA=="}}),
            "messages.0.content.0.file.file_data",
        ),
        (chat_assistant(content="a", audio={"id": "a"}), "messages.0.audio"),
        (chat_assistant(function_call={}), "messages.0.function_call"),
        (chat_assistant(content="a", annotations=[{}]), "messages.0.annotations"),
        (chat_assistant(content="a", reasoning_content="hm"), "messages.0.reasoning_content"),
        (chat_assistant(content="a", reasoning="hm"), "messages.0.reasoning"),
        (
            chat_assistant(content="a", reasoning_details=[{"text": "hm"}]),
            "messages.0.reasoning_details",
        ),
        *(
            (
                chat_assistant(content="a", reasoning_details=[{"text": "hm"}, item]),
                "messages.0.reasoning_details.1",
            )
            for item in ({"type": "reasoning.unknown"}, "no object")
        ),
        (chat_assistant(content="a", reasoning_details="x"), "messages.0.reasoning_details"),
        (
            chat_assistant(content="a", reasoning_details=[{"data": "gA", "format": "openai"}]),
            "messages.0.reasoning_details",
        ),
        (
            chat_assistant(tool_calls=[{"type": "custom", "id": "t"}]),
            "messages.0.tool_calls.0.type",
        ),
        (chat_assistant(tool_calls=[{"id": "t"}]), "messages.0.tool_calls.0.function"),
    ],
)
def test_refused_to_messages(body, param):
    """What an Anthropic model cannot be told is a 400 that names it; so is what is malformed."""
    with pytest.raises(BadRequest) as raised:
        to_messages(**body)
    assert raised.value.param == param


def test_long_names_are_cut():
    """A key as long as the body is not repeated in whole."""
    with pytest.raises(BadRequest) as raised:
        to_chat(**{"k" * 10_000: 1})
    assert len(raised.value.message) < 300

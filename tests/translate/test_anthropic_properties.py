"""What must hold of every request and every stream, whatever they are made of."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ai_gateway import strictjson
from ai_gateway.errors import BadRequest, UpstreamError
from ai_gateway.formats.chat import Reader as ChatReader
from ai_gateway.formats.messages import Reader as MessagesReader
from ai_gateway.translate.anthropic import CHAT_TO_MESSAGES, MESSAGES_TO_CHAT

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
NAME = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
INPUT = st.dictionaries(NAME, TEXT | st.integers(-9, 9) | st.booleans(), max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@st.composite
def conversations(draw: Any) -> list[dict[str, Any]]:
    """Messages of the Messages API: turns of text, and of calls with all their results."""
    messages: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 4))):
        messages.append({"role": "user", "content": draw(TEXT)})
        said = [{"type": "text", "text": draw(TEXT)}]
        ids = [f"t{number}_{call}" for call in range(draw(st.integers(0, 3)))]
        calls = [
            {"type": "tool_use", "id": identity, "name": draw(NAME), "input": draw(INPUT)}
            for identity in ids
        ]
        if not calls:
            messages.append({"role": "assistant", "content": said[0]["text"]})
            continue
        messages.append({"role": "assistant", "content": [*said, *calls]})
        results = [
            {"type": "tool_result", "tool_use_id": identity, "content": draw(TEXT)}
            for identity in ids
        ]
        messages.append({"role": "user", "content": results})
    return messages


@given(conversations(), st.none() | TEXT)
def test_conversation_there_and_back(messages: list[Any], system: str | None) -> None:
    """A conversation of the Messages API is the same after both translations."""
    body = {"max_tokens": 9, "messages": messages}
    back = CHAT_TO_MESSAGES.request(MESSAGES_TO_CHAT.request(body | {"system": system}))
    blocks = {} if system is None else {"system": [{"type": "text", "text": system}]}
    assert back == body | blocks


@given(conversations())
def test_chat_there_and_back(messages: list[Any]) -> None:
    """A chat completion's conversation is the same after both translations."""
    body = MESSAGES_TO_CHAT.request({"max_tokens": 9, "messages": messages})
    assert MESSAGES_TO_CHAT.request(CHAT_TO_MESSAGES.request(body)) == body


@given(
    JSON
    | st.fixed_dictionaries(
        {
            "max_tokens": st.just(9),
            "messages": st.lists(JSON | st.fixed_dictionaries({"role": JSON})),
        },
        optional=dict.fromkeys(
            ("system", "tools", "tool_choice", "thinking", "output_config", "stop"), JSON
        ),
    )
)
def test_any_request(body: Any) -> None:
    """Whatever a caller sends is translated or a BadRequest, and no other error."""
    for translation in (MESSAGES_TO_CHAT, CHAT_TO_MESSAGES):
        with suppress(BadRequest):
            strictjson.dumps(translation.request(body))


@st.composite
def cuts(draw: Any, text: str) -> list[str]:
    """``text`` in pieces."""
    at = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    return [text[a:b] for a, b in zip([0, *at], [*at, len(text)], strict=True)]


CALLS = st.lists(st.tuples(NAME, INPUT), max_size=3)
USAGE = st.fixed_dictionaries(
    {"prompt_tokens": st.integers(8, 99), "completion_tokens": st.integers(0, 99)},
    optional={"prompt_tokens_details": st.just({"cached_tokens": 5})},
)


@given(st.data(), st.text(max_size=9), st.text(max_size=9), CALLS, USAGE)
def test_chunks_are_the_whole_answer(
    data: Any, thought: str, said: str, calls: list[Any], usage: Any
) -> None:
    """However a chat completion is cut into chunks, the events add up to its translation."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece} for piece in data.draw(cuts(thought))]
    deltas += [{"content": piece} for piece in data.draw(cuts(said))]
    whole = []
    for index, (name, given_input) in enumerate(calls):
        arguments = strictjson.dumps(given_input).decode()
        call = {"id": f"t{index}", "function": {"name": name, "arguments": arguments}}
        whole.append(call)
        first = {"index": index, "id": f"t{index}", "function": {"name": name, "arguments": ""}}
        deltas.append({"tool_calls": [first]})
        for piece in data.draw(cuts(arguments)):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    head = {"id": "c", "model": "m"}
    finish = "tool_calls" if calls else "stop"
    chunks = [head | {"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    chunks.append(head | {"choices": [], "usage": usage})
    message = {"content": said, "reasoning_content": thought, "tool_calls": whole}
    body = head | {"choices": [{"message": message, "finish_reason": finish}], "usage": usage}
    assert accumulated(MESSAGES_TO_CHAT.stream(chunks, {})) == MESSAGES_TO_CHAT.answer(body, {})


def accumulated(events: Any) -> dict[str, Any]:
    """A stream's events as a client puts them together; checks that they are well-formed."""
    message: dict[str, Any] = {}
    arguments = ""
    opened = False
    for event in events:
        kind = event["type"]
        if kind == "message_start":
            assert not message
            message = event["message"]
        elif kind == "content_block_start":
            assert not opened
            assert event["index"] == len(message["content"])
            opened, arguments = True, ""
            message["content"].append(dict(event["content_block"]))
        elif kind == "content_block_delta":
            assert opened
            block, delta = message["content"][event["index"]], event["delta"]
            if delta["type"] == "input_json_delta":
                arguments += delta["partial_json"]
            else:
                name = delta["type"].removesuffix("_delta")
                block[name] += delta[name]
        elif kind == "content_block_stop":
            opened = False
            if arguments:
                message["content"][event["index"]]["input"] = strictjson.loads(arguments.encode())
        elif kind == "message_delta":
            message |= event["delta"]
            message["usage"] = event["usage"]
    assert kind == "message_stop"
    return message


@given(st.data(), st.lists(TEXT, max_size=2), CALLS, st.text(max_size=9))
def test_events_are_the_whole_answer(
    data: Any, said: list[str], calls: list[Any], thought: str
) -> None:
    """However a Messages answer is cut into events, the chunks add up to its translation."""
    blocks: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []

    def add(block: dict[str, Any], empty: dict[str, Any], kind: str, name: str, text: str) -> None:
        index = len(blocks)
        blocks.append(block)
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        for piece in data.draw(cuts(text)):
            delta = {"type": kind, name: piece}
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
        events.append({"type": "content_block_stop", "index": index})

    if thought:
        block = {"type": "thinking", "thinking": thought, "signature": ""}
        add(block, block | {"thinking": ""}, "thinking_delta", "thinking", thought)
    for text in said:
        add(
            {"type": "text", "text": text}, {"type": "text", "text": ""}, "text_delta", "text", text
        )
    for number, (name, given_input) in enumerate(calls):
        block = {"type": "tool_use", "id": f"t{number}", "name": name, "input": given_input}
        text = strictjson.dumps(given_input).decode() if given_input else ""
        add(block, block | {"input": {}}, "input_json_delta", "partial_json", text)
    stop = "tool_use" if calls else "end_turn"
    head = {"id": "m", "model": "m", "type": "message", "usage": {"input_tokens": 3}}
    usage = {"input_tokens": 3, "output_tokens": 7}
    stream = [
        {"type": "message_start", "message": head},
        *events,
        {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 7}},
        {"type": "message_stop"},
    ]
    request = {"stream_options": {"include_usage": True}}
    chunks = list(CHAT_TO_MESSAGES.stream(stream, request))
    whole = CHAT_TO_MESSAGES.answer(
        head | {"content": blocks, "stop_reason": stop, "usage": usage}, {}
    )
    message = whole["choices"][0]["message"]
    found = [chunk["choices"][0]["delta"] for chunk in chunks[:-1]]
    assert "".join(delta.get("content") or "" for delta in found) == (message["content"] or "")
    reasoned = "".join(delta.get("reasoning_content") or "" for delta in found)
    assert reasoned == message.get("reasoning_content", "")
    assert put_together(found) == message.get("tool_calls", [])
    assert chunks[-1]["usage"] == whole["usage"]
    assert chunks[-2]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]


def put_together(deltas: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tool calls as a client puts their fragments together."""
    calls: list[dict[str, Any]] = []
    for delta in deltas:
        for fragment in delta.get("tool_calls", ()):
            if fragment["index"] == len(calls):
                first = {key: value for key, value in fragment.items() if key != "index"}
                calls.append(first | {"function": dict(fragment["function"])})
            else:
                function = calls[fragment["index"]]["function"]
                function["arguments"] += fragment["function"]["arguments"]
    return calls


KINDS = st.sampled_from(
    [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "message_delta",
        "message_stop",
        "error",
    ]
)
EVENT = st.fixed_dictionaries(
    {"type": KINDS | JSON},
    optional=dict.fromkeys(("index", "delta", "content_block", "message", "usage"), JSON),
)
DELTA = st.dictionaries(
    st.sampled_from(["content", "reasoning", "reasoning_details", "tool_calls", "refusal"]), JSON
)
CHUNK = st.fixed_dictionaries(
    {},
    optional={
        "choices": st.lists(st.fixed_dictionaries({"delta": DELTA | JSON})) | JSON,
        "usage": JSON,
        "error": JSON,
    },
)


@given(st.lists(EVENT | CHUNK, max_size=4))
def test_any_stream(chunks: list[Any]) -> None:
    """Whatever a model streams is translated or an UpstreamError, and no other error."""
    for translation in (MESSAGES_TO_CHAT, CHAT_TO_MESSAGES):
        with suppress(UpstreamError):
            for event in translation.stream(chunks, {}):
                strictjson.dumps(event)


@given(st.lists(EVENT | CHUNK, max_size=3))
def test_any_answer(bodies: list[Any]) -> None:
    """Whatever a model answers is translated or an UpstreamError, and no other error."""
    for body in bodies:
        for translation in (MESSAGES_TO_CHAT, CHAT_TO_MESSAGES):
            with suppress(UpstreamError):
                strictjson.dumps(translation.answer(body, {}))


def test_readers_read_what_is_emitted() -> None:
    """The gateway reads of a translated stream what it reads of the stream itself."""
    chunks = [
        {"id": "c", "choices": [{"index": 0, "delta": {"content": "Hello"}}]},
        {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 3}},
    ]
    read, emitted = ChatReader(), MessagesReader()
    for chunk in chunks:
        read.add(chunk)
    for event in MESSAGES_TO_CHAT.stream(chunks, {}):
        emitted.add(event)
    assert emitted.reading().text == read.reading().text
    assert emitted.reading().usage.input == read.reading().usage.input

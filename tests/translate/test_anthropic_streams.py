"""What a stream becomes, event by event, for a caller of the other API.

One file: a table of cases, both ways beside each other.
"""

from __future__ import annotations

from itertools import islice

import pytest

from ai_gateway.errors import UpstreamError, UpstreamUnavailable
from ai_gateway.translate.anthropic import CHAT_TO_MESSAGES, MESSAGES_TO_CHAT


def chunk(delta=None, finish=None, **more):
    """A chat completion's chunk."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "model": "m", "choices": [choice], **more}


def tool(index, identity=None, name=None, arguments=None):
    """A delta of one tool call."""
    call = {"id": identity, "function": {"name": name, "arguments": arguments}}
    return {"tool_calls": [call if index is None else {"index": index, **call}]}


USAGE = {"prompt_tokens": 5, "completion_tokens": 3}


def to_events(*chunks, request=None):
    """Chunks, translated."""
    return list(MESSAGES_TO_CHAT.stream(chunks, request or {}))


def briefly(events):
    """The events between the first and the last two, in short."""
    short = []
    for event in events[1:-2]:
        kind = event["type"].removeprefix("content_block_")
        said = event.get("delta", event.get("content_block", {}))
        said = [value for key, value in said.items() if key != "type" and value not in ("", {})]
        short.append((kind, event["index"], *said))
    return short


def test_text_stream_to_events():
    """A stream of text is a start, one block, why it ended with all counts, and the end."""
    events = to_events(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "He"}),
        chunk({"content": "y"}),
        chunk({}, "stop"),
        {"id": "c1", "choices": [], "usage": USAGE},
    )
    zero = {
        "input_tokens": 0,
        "output_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation_input_tokens": 0,
    }
    assert events == [
        {
            "type": "message_start",
            "message": {
                "id": "c1",
                "type": "message",
                "role": "assistant",
                "model": "m",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": zero,
            },
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "He"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "y"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": zero | {"input_tokens": 5, "output_tokens": 3},
        },
        {"type": "message_stop"},
    ]


def test_nothing_is_held_back():
    """Each chunk's events come before the next chunk is read."""
    read = []

    def chunks():
        for text in "abc":
            read.append(text)
            yield chunk({"content": text})
        yield chunk({}, "stop")

    events = MESSAGES_TO_CHAT.stream(chunks(), {})
    assert next(events)["type"] == "message_start"
    assert next(events)["type"] == "content_block_start"
    assert next(events)["delta"]["text"] == "a"
    assert read == ["a"]


def test_tool_stream_to_events():
    """Text, and parallel calls in fragments, are blocks one after another."""
    events = to_events(
        chunk({"content": "I look."}),
        chunk(tool(0, "t1", "f", "")),
        chunk(tool(0, arguments='{"a"')),
        chunk(tool(0, arguments=":1}")),
        chunk(tool(1, "t2", "g", "")),
        chunk(tool(1, arguments="{}")),
        chunk({}, "tool_calls"),
    )
    assert briefly(events) == [
        ("start", 0),
        ("delta", 0, "I look."),
        ("stop", 0),
        ("start", 1, "t1", "f"),
        ("delta", 1, '{"a"'),
        ("delta", 1, ":1}"),
        ("stop", 1),
        ("start", 2, "t2", "g"),
        ("delta", 2, "{}"),
        ("stop", 2),
    ]
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


def test_calls_of_servers_that_count_otherwise():
    """Calls of one index, or of none, are told apart by their ids and names."""
    for index in (0, None):
        events = to_events(
            chunk(tool(index, "t1", "f", "{}")),
            chunk(tool(index, "t2", "f", "{}")),
            chunk({}, "tool_calls"),
        )
        starts = [event for event in events if event["type"] == "content_block_start"]
        assert [start["content_block"]["id"] for start in starts] == ["t1", "t2"]


@pytest.mark.parametrize("index", [0, None])
@pytest.mark.parametrize("identity", ["", None])
@pytest.mark.parametrize("second", ["f", "g"])
def test_calls_without_ids(index, identity, second):
    """Where no call has an id, a second name is a second call, of the same function too."""
    events = to_events(
        chunk(tool(index, identity, "f", '{"a":1}')),
        chunk(tool(index, identity, second, '{"b":2}')),
        chunk({}, "tool_calls"),
    )
    assert [event[2:] for event in briefly(events)] == [
        ("call_c1_0", "f"),
        ('{"a":1}',),
        (),
        ("call_c1_1", second),
        ('{"b":2}',),
        (),
    ]


def test_fragments_without_index():
    """A fragment that names no call belongs to the last one; a repeated name begins none."""
    events = to_events(
        chunk(tool(None, "t1", "f", "{")),
        chunk(tool(None, None, None, "}")),
        chunk(tool(0, "t1", "f", " ")),
        chunk(tool(0, None, "f", " ")),
        chunk({}, "stop"),
    )
    said = [event[2:] for event in briefly(events)]
    assert said == [("t1", "f"), ("{",), ("}",), (" ",), (" ",), ()]


def test_arguments_as_an_object():
    """Arguments that come as an object are sent as its JSON."""
    events = to_events(chunk(tool(0, "t1", "f", {"a": 1})), chunk({}, "stop"))
    assert briefly(events)[1] == ("delta", 0, '{"a":1}')


def test_signed_call_to_events():
    """A call's signature is a block of its own before the call."""
    signed = tool(0, "t1", "f", "{}")
    signed["tool_calls"][0]["extra_content"] = {"google": {"thought_signature": "SIG=="}}
    events = to_events(chunk(signed), chunk({}, "tool_calls"))
    assert briefly(events) == [
        ("start", 0, "google.thought_signature;t1;SIG=="),
        ("stop", 0),
        ("start", 1, "t1", "f"),
        ("delta", 1, "{}"),
        ("stop", 1),
    ]


@pytest.mark.parametrize("after", [chunk({}, "tool_calls"), chunk({"content": "."}, "stop")])
def test_calls_that_are_mixed(after):
    """A call that begins amid another's arguments waits: blocks come one after another."""
    events = to_events(
        chunk(tool(0, "t1", "f", "")),
        chunk(tool(1, "t2", "g", "")),
        chunk(tool(2, "t3", "h", "[")),
        chunk(tool(0, arguments='{"a"')),
        chunk(tool(1, arguments="{}")),
        chunk(tool(0, arguments=":1}")),
        after,
    )
    assert briefly(events)[:10] == [
        ("start", 0, "t1", "f"),
        ("delta", 0, '{"a"'),
        ("delta", 0, ":1}"),
        ("stop", 0),
        ("start", 1, "t2", "g"),
        ("delta", 1, "{}"),
        ("stop", 1),
        ("start", 2, "t3", "h"),
        ("delta", 2, "["),
        ("stop", 2),
    ]


def test_a_call_after_a_whole_one_is_not_held_back():
    """A call that begins when the arguments before it are whole is told at once."""
    events = MESSAGES_TO_CHAT.stream(
        iter([chunk(tool(0, "t1", "f", "{}")), chunk(tool(1, "t2", "g", ""))]), {}
    )
    told = [event["type"] for event in islice(events, 5)]
    assert told[3:] == ["content_block_stop", "content_block_start"]


@pytest.mark.parametrize("between", [{"content": "."}, {"reasoning": "hm"}])
def test_call_that_goes_on_after_its_end(between):
    """A fragment of a call that was over is a failure: its block cannot be opened again."""
    with pytest.raises(UpstreamError, match="wrote on"):
        to_events(
            chunk(tool(0, "t1", "f", "{")),
            chunk(between),
            chunk(tool(0, None, None, "}")),
        )


def test_call_that_begins_without_name():
    """A call that begins without a name is a failure."""
    with pytest.raises(UpstreamError, match="without a name"):
        to_events(chunk(tool(0, "t1", None, "{}")))


def test_reasoning_stream_to_events():
    """Reasoning is a thinking block that the text ends; left out where the caller wants it so."""
    chunks = [
        chunk({"reasoning_content": "h"}),
        chunk({"reasoning": "m"}),
        chunk({"content": "Hi"}),
        chunk({}, "stop"),
    ]
    text = [("delta", 1, "Hi"), ("stop", 1)]
    assert briefly(to_events(*chunks)) == [
        ("start", 0),
        ("delta", 0, "h"),
        ("delta", 0, "m"),
        ("stop", 0),
        ("start", 1),
        *text,
    ]
    request = {"thinking": {"type": "adaptive", "display": "omitted"}}
    events = briefly(to_events(*chunks, request=request))
    assert events == [("start", 0), ("delta", 0, "Hi"), ("stop", 0)]


def test_reasoning_in_parts_to_events():
    """What was thought in parts of the content is one block, which says so from its start."""
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": text}]} for text in ("h", "m")
    ]
    chunks = [chunk({"content": [part]}) for part in parts]
    events = to_events(*chunks, chunk({"content": "Hi"}), chunk({}, "stop"))
    assert briefly(events) == [
        ("start", 0, "content.thinking"),
        ("delta", 0, "h"),
        ("delta", 0, "m"),
        ("stop", 0),
        ("start", 1),
        ("delta", 1, "Hi"),
        ("stop", 1),
    ]


def test_signed_reasoning_to_events():
    """A signature ends its thinking block; an encrypted block is whole when it begins."""
    events = to_events(
        chunk({"reasoning_details": [{"text": "hm"}]}),
        chunk({"reasoning_details": [{"signature": "s"}, {"data": "ZZZ"}]}),
        chunk({}, "stop"),
    )
    assert briefly(events) == [
        ("start", 0),
        ("delta", 0, "hm"),
        ("delta", 0, "s"),
        ("stop", 0),
        ("start", 1, "ZZZ"),
        ("stop", 1),
    ]


def test_odd_chunks():
    """Chunks of a filter, without delta, of another shape, and late usage break nothing."""
    events = to_events(
        {"id": "", "model": "", "choices": [], "prompt_filter_results": []},
        {"choices": None},
        {"choices": ["x"]},
        chunk(None),
        chunk({"content": None, "tool_calls": [None, {"function": None}]}, usage=USAGE),
        chunk({"content": [{"type": "text", "text": "a"}], "tool_calls": None}),
        chunk({"refusal": "b"}, "content_filter", usage={}),
    )
    assert events[0]["message"]["id"] == "c1"
    assert briefly(events) == [("start", 0), ("delta", 0, "a"), ("delta", 0, "b"), ("stop", 0)]
    assert events[-2]["delta"]["stop_reason"] == "refusal"
    assert events[-2]["usage"]["input_tokens"] == 5


def test_empty_answer():
    """An answer of nothing has no block."""
    events = to_events(chunk({}, "stop"))
    assert [event["type"] for event in events] == ["message_start", "message_delta", "message_stop"]


@pytest.mark.parametrize(
    "chunks", [[], [chunk({"content": "a"})], [{"choices": [], "usage": USAGE}]]
)
def test_cut_chunks(chunks):
    """Chunks that end without saying why are a cut stream, never a silent end."""
    with pytest.raises(UpstreamError, match="cut"):
        to_events(*chunks)


def test_counts_without_an_end():
    """Counts are no end, at the stream's end neither."""
    counting = chunk({"content": "a"}, usage=USAGE)
    with pytest.raises(UpstreamError, match="cut"):
        to_events(chunk({"content": "a"}), counting)


def test_end_that_is_no_word():
    """A server that writes an empty ``finish_reason`` with each chunk has not ended by it."""
    with pytest.raises(UpstreamError, match="cut"):
        to_events(chunk({"content": "a"}, finish=""))


@pytest.mark.parametrize("reason", ["abort", "error", "insufficient_system_resource"])
def test_stream_that_was_broken_off(reason):
    """An answer that its model could not finish never looks finished."""
    with pytest.raises(UpstreamError, match=reason):
        to_events(chunk({"content": "a"}), chunk(finish=reason))


@pytest.mark.parametrize("late", [{"error": {"message": "x"}}, {"object": "error"}])
def test_error_among_chunks(late):
    """An error after the first chunk is one for the caller."""
    with pytest.raises(UpstreamError, match="broke off"):
        to_events(chunk({"content": "a"}), late)


START = {
    "type": "message_start",
    "message": {"id": "msg_1", "model": "m", "usage": {"input_tokens": 5, "output_tokens": 1}},
}
STOP = {"type": "message_stop"}


def begin(**block):
    """A content_block_start."""
    return {"type": "content_block_start", "index": 0, "content_block": block}


def delta(kind, **said):
    """A content_block_delta."""
    return {"type": "content_block_delta", "index": 0, "delta": {"type": kind, **said}}


def ended(reason, **said):
    """A message_delta."""
    stop = {"stop_reason": reason, "stop_sequence": None, **said}
    return {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 3}}


END = {"type": "content_block_stop", "index": 0}


def to_chunks(*events, usage=False):
    """Events, translated."""
    request = {"stream_options": {"include_usage": usage}} if usage else {}
    return list(CHAT_TO_MESSAGES.stream(events, request))


def deltas(chunks):
    """The deltas between the first chunk and the one that says why the answer ended."""
    return [found["choices"][0]["delta"] for found in chunks[1:-1]]


def test_text_events_to_chunks():
    """A stream of text is a role, its pieces and why it ended; pings say nothing."""
    chunks = to_chunks(
        {"type": "ping"},
        START,
        begin(type="text", text=""),
        {"type": "ping"},
        delta("text_delta", text="He"),
        delta("text_delta", text=""),
        delta("text_delta", text="y"),
        END,
        {"type": "of_2031"},
        ended("end_turn"),
        STOP,
    )
    head = {"id": "msg_1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    assert chunks == [
        head | {"choices": [{"index": 0, "delta": said, "logprobs": None, "finish_reason": finish}]}
        for said, finish in [
            ({"role": "assistant", "content": ""}, None),
            ({"content": "He"}, None),
            ({"content": "y"}, None),
            ({}, "stop"),
        ]
    ]


def test_usage_chunk():
    """Usage is a chunk of its own, without choices, if and only if the caller asked for it."""
    events = [START, ended("end_turn"), STOP]
    *others, last = to_chunks(*events, usage=True)
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 8)
    assert [found["usage"] for found in others] == [None, None]
    assert all("usage" not in found for found in to_chunks(*events))


def test_tool_events_to_chunks():
    """Parallel calls are counted from 0; one without arguments has an empty object."""
    chunks = to_chunks(
        START,
        begin(type="text", text="I look."),
        END,
        begin(type="tool_use", id="t1", name="f", input={}),
        delta("input_json_delta", partial_json=""),
        delta("input_json_delta", partial_json='{"a"'),
        delta("input_json_delta", partial_json=":1}"),
        END,
        begin(type="tool_use", id="t2", name="g", input={}),
        END,
        begin(type="tool_use", id="t3", name="h", input={"b": 2}),
        END,
        ended("tool_use"),
        STOP,
    )

    def first(index, identity, name, arguments):
        function = {"name": name, "arguments": arguments}
        return {"index": index, "id": identity, "type": "function", "function": function}

    said, *calls = deltas(chunks)
    assert said == {"content": "I look."}
    assert [found["tool_calls"] for found in calls] == [
        [first(0, "t1", "f", "")],
        [{"index": 0, "function": {"arguments": '{"a"'}}],
        [{"index": 0, "function": {"arguments": ":1}"}}],
        [first(1, "t2", "g", "")],
        [{"index": 1, "function": {"arguments": "{}"}}],
        [first(2, "t3", "h", '{"b":2}')],
    ]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_thinking_events_to_chunks():
    """Thinking, its signature and encrypted blocks come as the same pieces."""
    chunks = to_chunks(
        START,
        begin(type="thinking", thinking="", signature=""),
        delta("thinking_delta", thinking="hm"),
        delta("signature_delta", signature="s"),
        delta("signature_delta", signature=""),
        END,
        begin(type="redacted_thinking", data="ZZZ"),
        END,
        ended("end_turn"),
        STOP,
    )
    claude = {"format": "anthropic-claude-v1"}
    thought = {"type": "reasoning.text", "index": 0, **claude}
    assert deltas(chunks) == [
        {"reasoning_details": [{**thought, "text": "hm"}], "reasoning_content": "hm"},
        {"reasoning_details": [{**thought, "signature": "s"}]},
        {
            "reasoning_details": [
                {"type": "reasoning.encrypted", "index": 1, "data": "ZZZ", **claude}
            ]
        },
    ]


def test_refused_events_to_chunks():
    """Why a model refused is said with the reason."""
    details = {"type": "refusal", "explanation": "It could harm."}
    last = to_chunks(START, ended("refusal", stop_details=details), STOP)[-1]["choices"][0]
    assert (last["delta"], last["finish_reason"]) == (
        {"refusal": "It could harm."},
        "content_filter",
    )


def test_what_follows_the_end_is_not_waited_for():
    """The stream ends with its last event, whether or not the connection does."""

    def events():
        yield from (START, ended("end_turn"), STOP)
        pytest.fail("read on")

    assert list(CHAT_TO_MESSAGES.stream(events(), {}))


@pytest.mark.parametrize(
    "events",
    [
        [],
        [START],
        [START, begin(type="text", text="a"), END, ended("end_turn")],
        [START, STOP],
        [END],
        [STOP],
        [{"type": "message_start"}],
        [START, {"type": "content_block_start"}],
        [START, begin(type="server_tool_use")],
        [START, delta("citations_delta", citation={})],
        [START, delta("text_delta")],
        [START, {"type": "message_delta"}],
    ],
)
def test_events_that_are_no_answer(events):
    """A stream that is cut, begins in its middle or holds what has no counterpart is an error."""
    with pytest.raises(UpstreamError):
        to_chunks(*events)


def test_error_event():
    """An error event is the error that it says."""
    with pytest.raises(UpstreamUnavailable):
        to_chunks(START, {"type": "error", "error": {"type": "overloaded_error"}})

"""A chat completion becomes a Response, whole or as a stream of events.

One file: a table of cases of one answer.
"""

from collections import deque
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.errors import (
    GatewayError,
    PolicyViolation,
    UpstreamError,
    UpstreamRateLimited,
)
from ai_gateway.translate.responses import RESPONSES_TO_CHAT
from tests.translate.chat_streams import HEAD, USAGE, call, chunk, completion, cut, token

ASKED = {"model": "model-a", "input": "Hi"}


def answer(message: dict[str, Any], finish_reason: str | None = "stop", **more: Any) -> Any:
    """The Response to a chat ``message``."""
    return RESPONSES_TO_CHAT.answer(completion(message, finish_reason, **more), ASKED)


def events(*chunks: Any) -> list[dict[str, Any]]:
    """All events of a stream."""
    return list(RESPONSES_TO_CHAT.stream(chunks, ASKED))


def take(chunks: Any, found: list[dict[str, Any]]) -> None:
    """Puts a stream's events into ``found``, which keeps them when the stream breaks off."""
    deque(map(found.append, RESPONSES_TO_CHAT.stream(chunks, ASKED)), maxlen=0)


def types(found: list[dict[str, Any]]) -> list[str]:
    """The events' names, without what they share."""
    return [event["type"].removeprefix("response.") for event in found]


def test_an_answer_says_everything_that_the_type_requires() -> None:
    """A plain answer is complete, with the request's parameters as it was asked."""
    assert answer({"content": "Hello"}) == {
        "id": "resp_1",
        "object": "response",
        "created_at": 1700000000,
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "model": "meta/llama",
        "output": [
            {
                "id": "msg_1_0",
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [
                    {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}
                ],
            }
        ],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": None,
        "store": False,
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": None,
        "top_p": None,
        "truncation": "disabled",
        "usage": {
            "input_tokens": 9,
            "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
            "output_tokens": 7,
            "output_tokens_details": {"reasoning_tokens": 3},
            "total_tokens": 16,
        },
        "user": None,
    }


def test_the_request_is_repeated() -> None:
    """What the caller set stands in the answer, tools with every key that the type has."""
    asked = {
        **ASKED,
        "store": True,
        "metadata": {"a": "b"},
        "temperature": 0.5,
        "parallel_tool_calls": False,
        "reasoning": {"effort": "high"},
        "text": {"verbosity": "low"},
        "tools": [{"type": "function", "name": "get"}],
        "tool_choice": "none",
    }
    found = RESPONSES_TO_CHAT.answer(completion({"content": "x"}), asked)
    tool = {"type": "function", "name": "get"}
    assert {key: found[key] for key in asked if key in found} == {
        **{key: asked[key] for key in ("metadata", "temperature", "parallel_tool_calls")},
        "model": "meta/llama",
        "store": False,
        "reasoning": {"effort": "high", "summary": None},
        "text": {"verbosity": "low", "format": {"type": "text"}},
        "tools": [{**tool, "description": None, "parameters": None, "strict": None}],
        "tool_choice": "none",
    }


def test_reasoning_words_and_calls_are_items_in_this_order() -> None:
    """Reasoning by either name, refusals and parallel calls each find their item."""
    calls = [call(0, name="a", arguments="{}"), {**call(1, name="b", arguments={"c": 1})}]
    del calls[1]["id"]
    found = answer({"reasoning": "Hm", "refusal": "No", "content": "So", "tool_calls": calls})
    assert [item["type"] for item in found["output"]] == [
        *("reasoning", "message", "function_call", "function_call")
    ]
    reasoning, message, *functions = found["output"]
    assert reasoning["content"] == [{"type": "reasoning_text", "text": "Hm"}]
    assert reasoning["summary"] == []
    assert message["content"][1] == {"type": "refusal", "refusal": "No"}
    assert [(item["call_id"], item["arguments"]) for item in functions] == [
        ("call_0", "{}"),
        ("call_1_3", '{"c":1}'),
    ]


def test_pictures_are_an_error() -> None:
    """A picture in an answer is the model's failure: the items of a Response have none for it."""
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}}
    for message in ({"images": [picture]}, {"content": [picture]}):
        with pytest.raises(UpstreamError, match="cannot hold"):
            answer(message)
        with pytest.raises(UpstreamError, match="cannot hold"):
            events(chunk(message, "stop"))


def test_a_signed_call_has_its_signature_before_it() -> None:
    """What signs a call, whole or streamed, is a reasoning item that the caller gives back."""
    signed = call(0, name="f", arguments="{}")
    signed["extra_content"] = {"google": {"thought_signature": "SIG=="}}
    streamed = events(chunk({"tool_calls": [signed]}, "tool_calls"))
    for response in (answer({"tool_calls": [signed]}), streamed[-1]["response"]):
        reasoning, function = response["output"]
        assert reasoning == {
            "id": "rs_1_0",
            "type": "reasoning",
            "status": "completed",
            "summary": [],
            "encrypted_content": "google.thought_signature;call_0;SIG==",
        }
        assert (function["type"], function["call_id"]) == ("function_call", "call_0")
    assert types(streamed)[2:5] == [
        *("output_item.added", "output_item.done", "output_item.added"),
    ]


@pytest.mark.parametrize(
    "thought",
    [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]},  # Mistral's
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}]},  # Databricks'
    ],
)
def test_reasoning_in_parts_of_the_content_is_reasoning(thought) -> None:
    """What was thought in parts of the content is a reasoning item."""
    parts = [thought, {"type": "text", "text": "So"}]
    whole, streamed = answer({"content": parts}), events(chunk({"content": parts}, "stop"))
    for response in (whole, streamed[-1]["response"]):
        reasoning, message = response["output"]
        assert reasoning["content"] == [{"type": "reasoning_text", "text": "Hm"}]
        assert message["content"][0]["text"] == "So"


def test_a_choice_that_was_filtered_takes_no_other_with_it() -> None:
    """The first that has a message is the answer."""
    filtered = {"index": 0, "finish_reason": "content_filter"}
    good = {"index": 1, "message": {"content": "So"}, "finish_reason": "stop"}
    said = RESPONSES_TO_CHAT.answer({"id": "c", "choices": [filtered, good]}, {})
    assert said["output"][0]["content"][0]["text"] == "So"


@pytest.mark.parametrize(
    ("finish_reason", "status", "details"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        (None, "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
    ],
)
def test_the_end_is_said_as_responses_say_it(
    finish_reason: str | None, status: str, details: dict[str, str] | None
) -> None:
    """The finish reason becomes a status, and the last item has it too."""
    found = answer({"reasoning": "Hm", "content": "So"}, finish_reason)
    assert (found["status"], found["incomplete_details"]) == (status, details)
    assert [item["status"] for item in found["output"]] == ["completed", status]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"choices": []}, "without choices"),
        ({"choices": "x"}, "without choices"),
        ({"choices": [{}]}, "without a message"),
        ({"choices": ["x"]}, "without a message"),
        (completion({"content": "x"}, "error"), "broke off"),
        (completion({"tool_calls": [{}]}), "without a name"),
        (completion({"tool_calls": [{"function": "x"}]}), "without a name"),
        (completion({"tool_calls": [call(0, arguments="{}")]}), "without a name"),
        ({**completion({"content": "x"}), "error": {"message": "full"}}, "with an error"),
    ],
)
def test_what_is_no_answer_is_an_error(body: dict[str, Any], said: str) -> None:
    """A body without an answer is the model's failure, not an empty response."""
    with pytest.raises(UpstreamError, match=said):
        RESPONSES_TO_CHAT.answer(body, ASKED)


def test_an_answer_without_id_time_model_or_usage_is_filled_in() -> None:
    """What a sloppy server leaves out is made from the request, the same each time."""
    body = {"choices": [{"message": {"content": None}}]}
    found, again = (RESPONSES_TO_CHAT.answer(body, ASKED) for _ in range(2))
    assert found == again
    assert len(found["id"]) == len("resp_") + 32
    assert (found["model"], found["created_at"]) == ("model-a", 0)
    assert (found["usage"], found["output"]) == (None, [])


def test_usage_without_a_total_is_added_up() -> None:
    """The total is that of both counts where the server did not say it."""
    body = completion({"content": "x"})
    body["usage"] = {"prompt_tokens": 2, "completion_tokens": 3}
    found = RESPONSES_TO_CHAT.answer(body, ASKED)["usage"]
    assert (found["total_tokens"], found["output_tokens_details"]["reasoning_tokens"]) == (5, 0)


def test_log_probabilities_have_all_that_the_type_requires() -> None:
    """Bytes and alternatives are lists, also where the server says null."""
    other = {"token": "b", "logprob": -2.0, "bytes": [98]}
    found = answer({"content": "a"}, logprobs={"content": [token("a") | {"top_logprobs": [other]}]})
    assert found["output"][0]["content"][0]["logprobs"] == [
        {"token": "a", "logprob": -0.5, "bytes": [], "top_logprobs": [other]}
    ]


def test_a_stream_tells_each_step() -> None:
    """The events come in the documented order, numbered without a gap."""
    found = events(
        {"id": "", "choices": [], "prompt_filter_results": []},
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning": "Hm", "reasoning_content": "Hm"}),
        chunk({"content": "He"}),
        chunk({"content": "llo"}),
        chunk({"tool_calls": [call(0, name="get", arguments="")]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
        chunk({}, "tool_calls"),
        {**HEAD, "choices": [], "usage": USAGE},
    )
    assert types(found) == [
        *("created", "in_progress"),
        *("output_item.added", "content_part.added", "reasoning_text.delta"),
        *("reasoning_text.done", "content_part.done", "output_item.done"),
        *("output_item.added", "content_part.added", "output_text.delta", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done"),
        *("output_item.added", "function_call_arguments.delta"),
        *("function_call_arguments.done", "output_item.done", "completed"),
    ]
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    assert [event.get("output_index") for event in found[2:-1]] == [0] * 6 + [1] * 7 + [2] * 4
    assert found[0]["response"]["status"] == "in_progress"
    assert found[0]["response"]["id"] == found[-1]["response"]["id"] == "resp_1"
    done = [event["item"] for event in found if event["type"] == "response.output_item.done"]
    assert found[-1]["response"]["output"] == done


def test_each_chunk_is_passed_on_as_it_comes() -> None:
    """An event waits for no later chunk."""
    taken = []

    def chunks() -> Any:
        for text in ("a", "b"):
            taken.append(text)
            yield chunk({"content": text})

    for event in RESPONSES_TO_CHAT.stream(chunks(), ASKED):
        if event["type"] == "response.output_text.delta":
            assert event["delta"] == taken[-1]
        if taken == ["a", "b"]:
            break
    assert taken == ["a", "b"]


@given(cut())
def test_however_a_stream_is_cut_the_response_is_that_of_the_whole(
    found: tuple[dict[str, Any], list[dict[str, Any]]],
) -> None:
    """The last event of any chunking holds what the whole answer's translation gives."""
    whole, chunks = found
    assert events(*chunks)[-1]["response"] == RESPONSES_TO_CHAT.answer(whole, ASKED)


@given(cut())
def test_deltas_add_up_to_what_is_done(
    found: tuple[dict[str, Any], list[dict[str, Any]]],
) -> None:
    """For each part and call the deltas are the text, and the done event says the same."""
    pieces: dict[tuple[Any, ...], str] = {}
    for event in events(*found[1]):
        kind, _, end = event["type"].rpartition(".")
        place = (kind, event.get("output_index"), event.get("content_index"))
        if end == "delta":
            pieces[place] = pieces.get(place, "") + event["delta"]
        elif end == "done" and "item" not in event and "part" not in event:
            said = next(event[key] for key in ("text", "refusal", "arguments") if key in event)
            assert pieces.pop(place, "") == said
    assert pieces == {}


def test_words_after_a_call_are_a_message_of_their_own() -> None:
    """A closed item stays closed; calls stay open, since their pieces may alternate."""
    found = events(
        chunk({"content": "a"}),
        chunk({"tool_calls": [call(0, name="f", arguments="{"), call(1, name="g", arguments="")]}),
        chunk({"tool_calls": [{"index": 1, "function": {"arguments": "[]"}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": "}"}}, "x", {"index": 0}]}),
        chunk({"content": "b"}),
        chunk({}, "length"),
    )
    output = found[-1]["response"]["output"]
    assert [item.get("arguments") for item in output] == [None, "{}", "[]", None]
    assert [item["status"] for item in output] == [*["completed"] * 3, "incomplete"]
    assert found[-1]["type"] == "response.incomplete"


def test_calls_that_are_not_counted_are_told_apart_by_their_ids() -> None:
    """Two whole calls under one index, as one provider streams them, are two items."""
    second = {**call(0, name="g", arguments="[]"), "id": "call_x"}
    found = events(
        chunk({"tool_calls": [call(0, name="f", arguments="{}")]}),
        chunk({"tool_calls": [second]}, "tool_calls"),
    )
    output = found[-1]["response"]["output"]
    assert [(item["name"], item["call_id"]) for item in output] == [
        ("f", "call_0"),
        ("g", "call_x"),
    ]


@pytest.mark.parametrize("shared", [{}, {"index": 0}, {"id": ""}, {"index": 0, "id": ""}])
@pytest.mark.parametrize("second", ["f", "g"])
def test_calls_without_ids_are_told_apart_by_their_names(
    shared: dict[str, Any], second: str
) -> None:
    """Where no call has an id, a second name is a second call, of the same function too."""
    calls = [
        {**shared, "function": {"name": name, "arguments": arguments}}
        for name, arguments in (("f", '{"a":1}'), (second, '{"b":2}'))
    ]
    found = events(chunk({"tool_calls": calls}, "tool_calls"))
    output = found[-1]["response"]["output"]
    assert [(item["name"], item["call_id"], item["arguments"]) for item in output] == [
        ("f", "call_1_0", '{"a":1}'),
        (second, "call_1_1", '{"b":2}'),
    ]


def test_a_fragment_without_an_index_goes_on_with_the_last_call() -> None:
    """A fragment without index and name is the last call's."""
    more = {"function": {"arguments": "}"}}
    found = events(
        chunk({"tool_calls": [call(0, name="f", arguments="{")]}),
        chunk({"tool_calls": [more]}, "tool_calls"),
    )
    assert [item["arguments"] for item in found[-1]["response"]["output"]] == ["{}"]


def test_probabilities_without_words_wait_for_the_next() -> None:
    """Tokens whose words come later, or that end the text, are not lost."""
    found = events(
        chunk({"content": ""}, logprobs={"content": [token("")]}),
        chunk({"content": "a"}, logprobs={"content": [token("a")]}),
        chunk({}, "stop", logprobs={"content": [token("<end>")]}),
    )
    part = found[-1]["response"]["output"][0]["content"][0]
    assert [token["token"] for token in part["logprobs"]] == ["", "a", "<end>"]


def test_other_choices_and_strange_ones_are_not_said() -> None:
    """Only the first choice is the response."""
    found = events(
        {**HEAD, "choices": ["x", {"index": 1, "delta": {"content": "no"}}]},
        chunk({"content": "yes"}),
        {**HEAD, "choices": [{"index": 0, "delta": None, "finish_reason": "stop"}]},
    )
    assert found[-1]["response"]["output"][0]["content"][0]["text"] == "yes"


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [{"choices": []}],
        [chunk({"content": "a"})],
        [chunk({"content": "a"}), {"error": {"message": "overloaded"}}],
        [chunk({"content": "a"}, "error")],
    ],
)
def test_a_stream_that_breaks_off_never_ends_in_silence(chunks: list[dict[str, Any]]) -> None:
    """A cut, an error chunk or a broken end is raised, after a failed event once one was sent."""
    found: list[dict[str, Any]] = []
    with pytest.raises(UpstreamError):
        take(chunks, found)
    assert not found or types(found)[-1] == "failed"
    assert bool(found) == (len(chunks) > 0 and bool(chunks[0]["choices"]))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UpstreamError("cut"), "server_error"),
        (UpstreamRateLimited("later"), "rate_limit_exceeded"),
        (PolicyViolation("no"), "invalid_prompt"),
    ],
)
def test_a_failure_on_the_way_is_told_with_what_was_said(error: GatewayError, code: str) -> None:
    """The failed response has the error, and the items so far, none of them as complete."""

    def chunks() -> Any:
        yield chunk({"reasoning": "Hm"})
        yield chunk({"content": "a"})
        raise error

    found: list[dict[str, Any]] = []
    with pytest.raises(type(error)):
        take(chunks(), found)
    response = found[-1]["response"]
    assert response["error"] == {"code": code, "message": error.message}
    assert [item["status"] for item in response["output"]] == ["completed", "incomplete"]
    assert response["output"][1]["content"][0]["text"] == "a"


NAMES = st.sampled_from(
    (
        *("choices", "delta", "message", "content", "reasoning", "tool_calls", "function", "name"),
        *("arguments", "finish_reason", "logprobs", "top_logprobs", "id", "index", "usage"),
        *("created", "model", "prompt_tokens", "text", "refusal", "bytes"),
    )
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["stop", "a", ""]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
DELTAS = st.builds(
    chunk, st.dictionaries(NAMES, VALUES), VALUES, logprobs=VALUES, usage=VALUES, index=st.just(0)
)


@given(st.lists(DELTAS | st.dictionaries(NAMES, VALUES), max_size=4))
def test_no_stream_breaks_the_translation(chunks: list[dict[str, Any]]) -> None:
    """Whatever a server sends is told, or is the server's failure."""
    found: list[dict[str, Any]] = []
    with suppress(UpstreamError):
        take(chunks, found)
    assert not found or types(found)[-1] in ("completed", "incomplete", "failed")


@given(st.dictionaries(NAMES, VALUES), st.dictionaries(NAMES, VALUES))
def test_no_answer_breaks_the_translation(message: dict[str, Any], more: dict[str, Any]) -> None:
    """Whatever a server answers is a Response, or is the server's failure."""
    with suppress(UpstreamError):
        body = {**completion(message), **more}
        assert RESPONSES_TO_CHAT.answer(body, ASKED)["object"] == "response"

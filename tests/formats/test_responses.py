"""What a Responses body and its events say."""

from typing import Any

import pytest
from hypothesis import given

from ai_gateway.errors import UpstreamError
from ai_gateway.formats import Usage
from ai_gateway.formats.chat import CHAT
from ai_gateway.formats.responses import RESPONSES, Reader
from ai_gateway.guardrails.scene import Text
from ai_gateway.translate.responses import RESPONSES_TO_CHAT
from tests.translate.chat_streams import cut

USED = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 3},
}


def test_every_text_of_a_request_is_read() -> None:
    """Instructions, messages, calls, results, tools and schemas; ids and data are no text."""
    body = {
        "model": "m",
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": "one"},
            {
                "type": "message",
                "id": "msg_1",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "two"},
                    {"type": "input_image", "image_url": "data:x", "detail": "low"},
                ],
            },
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "three"}]},
            {"type": "function_call", "call_id": "c", "name": "get", "arguments": "four"},
            {"type": "function_call_output", "call_id": "c", "output": "five"},
            {"type": "mcp_call", "output": "six"},
            {"type": "not_yet_invented", "words": ["seven"]},
        ],
        "prompt": {"id": "p", "variables": {"name": "eight"}},
        "tools": [
            {
                "type": "function",
                "description": "nine",
                "parameters": {"properties": {"id": {"type": "string", "description": "ten"}}},
            }
        ],
        "text": {"format": {"type": "json_schema", "schema": {"description": "eleven"}}},
    }
    found = RESPONSES.texts(body)
    assert [text.text for text in found] == [
        *("Be brief.", "one", "two", "three", "get", "four", "getfour", "five", "six", "seven"),
        "eight",
    ]
    assert [text.text for text in RESPONSES.definitions(body)] == ["nine", "ten", "eleven"]
    assert [text.text for text in found if text.stage == "tool"] == ["five", "six"]


def test_what_parts_say_together_is_read() -> None:
    """A word that is spread over two of them is whole to a model."""
    parts = [{"type": "input_text", "text": "xy"}, {"type": "input_text", "text": "zzy"}]
    found = RESPONSES.texts({"input": [{"role": "user", "content": parts}]})
    assert found[-1].text == "xyzzy"


@pytest.mark.parametrize("body", [{}, {"input": None, "text": 1}, {"input": 4, "tools": None}])
def test_a_request_without_texts_has_none(body: dict[str, Any]) -> None:
    """Whatever stands in the body, reading it is no error."""
    assert RESPONSES.texts(body) == []


def test_a_string_is_the_input() -> None:
    """The short form is one text."""
    assert RESPONSES.texts({"input": "Hi", "text": {"format": 1}}) == [Text("Hi", "input")]
    assert RESPONSES.reader is Reader


def test_an_answer_is_read() -> None:
    """Words, refusals and arguments are its text; reasoning is not; usage is counted."""
    body = {
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "output": [
            {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]},
            {
                "type": "message",
                "content": [{"text": "a"}, {"refusal": "b"}, "strange", {"text": 1}],
            },
            {"type": "message", "content": None},
            {"type": "function_call", "arguments": "{}"},
            {"type": "custom_tool_call", "input": "c"},
            "strange",
        ],
        "usage": USED,
    }
    found = RESPONSES.read(body)
    assert (found.text, found.finish_reason) == ("a\nb\n{}\nc", "max_output_tokens")
    assert found.usage == Usage(input=9, output=7, cached=4, reasoning=3, raw=USED)


def test_an_answer_may_leave_out_how_it_ended() -> None:
    """Status and usage that are missing or strange are unknown, not made up."""
    found = RESPONSES.read({"output": [], "status": 1, "incomplete_details": "x"})
    assert (found.text, found.finish_reason, found.usage) == ("", None, Usage())


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "without output"),
        ({"output": "x"}, "without output"),
        ({"status": "failed", "output": [], "error": {"code": "server_error"}}, "server_error"),
        ({"error": "x", "output": []}, "without a code"),
    ],
)
def test_what_is_no_answer_is_an_error(body: dict[str, Any], said: str) -> None:
    """A failed response under status 200 is the model's failure."""
    with pytest.raises(UpstreamError, match=said):
        RESPONSES.read(body)


def test_a_stream_is_read_by_its_deltas() -> None:
    """Each part's deltas are put together, and the last event has the end and the usage."""
    reader = Reader()
    for event in (
        {"type": "response.created", "response": {"status": "in_progress"}},
        {"type": "response.reasoning_text.delta", "delta": "hm"},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "a"},
        {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": "{"},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "b"},
        {"type": "response.output_text.delta", "output_index": 1},
        {"type": "response.output_text.done", "output_index": 1, "text": "ab"},
        {"type": "response.new_kind.delta", "output_index": 3, "delta": "c"},
        {"type": "response.audio.delta", "delta": "UklG"},
        {"type": 1},
        {},
    ):
        reader.add(event)
    assert reader.reading().finish_reason is None
    reader.add({"type": "response.completed", "response": {"status": "completed", "usage": USED}})
    found = reader.reading()
    assert (found.text, found.finish_reason) == ("ab\n{\nc", "completed")
    assert found.usage.cached == 4


@given(cut())
def test_a_translated_answer_reads_as_the_model_wrote_it(
    found: tuple[dict[str, Any], list[dict[str, Any]]],
) -> None:
    """Whole or streamed, before or after translation, the same words and counts are read."""
    whole, chunks = found
    asked = {"model": "m", "input": "Hi"}
    before = CHAT.read(whole)
    after = RESPONSES.read(RESPONSES_TO_CHAT.answer(whole, asked))
    reader = Reader()
    for event in RESPONSES_TO_CHAT.stream(chunks, asked):
        reader.add(event)
    said = {"\n".join(filter(None, reading.text.split("\n"))) for reading in (before, after)}
    said.add("\n".join(filter(None, reader.reading().text.split("\n"))))
    assert len(said) == 1
    assert (before.usage.input, before.usage.output) == (after.usage.input, after.usage.output)
    assert reader.reading().usage == after.usage

"""The responses API: items in, items out."""

import json

import pytest

from tests.simulator.conftest import Client, events

QUESTION = "What is a Finite State Machine?"
PART = {"type": "input_text", "text": QUESTION}
NAMED = {"type": "function", "name": "get_weather"}
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@pytest.mark.parametrize(
    "asked",
    [
        QUESTION,
        [{"role": "user", "content": QUESTION}],
        [{"type": "message", "role": "user", "content": [PART]}],
        [{"role": "developer", "content": "Be good."}, {"role": "user", "content": QUESTION}],
    ],
)
def test_shape_of_a_response(shared: Client, asked: object) -> None:
    """However the question is put, the output is one message."""
    body = shared.send("/responses", input=asked).json()
    assert (body["object"], body["status"]) == ("response", "completed")
    (item,) = body["output"]
    assert "finite set of states" in item["content"][0]["text"]
    usage = body["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_instructions_are_echoed_and_count(shared: Client) -> None:
    """Instructions come before the input; what was asked comes back with the answer."""
    plain = shared.send("/responses", input=QUESTION).json()
    body = shared.send("/responses", input=QUESTION, instructions="Be brief.").json()
    assert body["instructions"] == "Be brief."
    assert body["usage"]["input_tokens"] == plain["usage"]["input_tokens"] + 7


def test_a_limit_makes_it_incomplete(shared: Client) -> None:
    """An answer that was cut off says so, in a stream too."""
    body = shared.send("/responses", input=QUESTION, max_output_tokens=3).json()
    assert body["status"] == "incomplete"
    assert body["incomplete_details"] == {"reason": "max_output_tokens"}
    last = events(shared.send("/responses", input=QUESTION, max_output_tokens=3, stream=True))[-1]
    assert last == {"type": "response.incomplete", "response": body, "sequence_number": 10}


def test_a_stream(shared: Client) -> None:
    """Numbered events open and close the response, the item and its part."""
    found = events(shared.send("/responses", input=QUESTION, stream=True))
    kinds = [event["type"] for event in found]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    text = "".join(event["delta"] for event in found if "delta" in event)
    assert text == found[-1]["response"]["output"][0]["content"][0]["text"]
    assert found[0]["response"]["output"] == []


@pytest.mark.parametrize("choice", ["auto", "required", NAMED])
def test_calls_plain_and_streamed(shared: Client, choice: object) -> None:
    """A function call is an item of its own; its arguments come in fragments."""
    fields = {"input": "Weather in Paris?", "tools": [WEATHER], "tool_choice": choice}
    (item,) = shared.send("/responses", **fields).json()["output"]
    assert (item["type"], item["name"]) == ("function_call", "get_weather")
    assert json.loads(item["arguments"]) == {"city": "Paris"}
    found = events(shared.send("/responses", stream=True, **fields))
    fragments = [event["delta"] for event in found if "delta" in event]
    assert "".join(fragments) == item["arguments"]
    assert len(fragments) > 1
    assert found[-1]["response"]["output"] == [item]


def test_a_result_is_used(shared: Client) -> None:
    """After a function's output the answer is a text that holds it."""
    asked = {"role": "user", "content": "Weather in Paris?"}
    (call,) = shared.send("/responses", input=[asked], tools=[WEATHER]).json()["output"]
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "18 degrees"}
    body = shared.send("/responses", input=[asked, call, result], tools=[WEATHER]).json()
    assert body["output"][0]["content"][0]["text"] == "The result is: 18 degrees."


@pytest.mark.parametrize("stream", [False, True])
def test_reasoning_is_an_item(shared: Client, *, stream: bool) -> None:
    """The thoughts are an item before the message, and are counted."""
    reply = shared.send("/responses", directive="reasoning", input=QUESTION, stream=stream)
    if stream:
        found = events(reply)
        text = "".join(
            event["delta"] for event in found if event["type"] == "response.reasoning_text.delta"
        )
        body = found[-1]["response"]
        assert body["output"][0]["content"][0]["text"] == text
    else:
        body = reply.json()
    assert [item["type"] for item in body["output"]] == ["reasoning", "message"]
    assert body["usage"]["output_tokens_details"]["reasoning_tokens"] > 10


@pytest.mark.parametrize(
    "wanted",
    [
        {"type": "json_schema", "name": "c", "schema": WEATHER["parameters"]},
        {"type": "json_object"},
    ],
)
def test_structured_answers(shared: Client, wanted: dict[str, object]) -> None:
    """With a format the text is JSON."""
    body = shared.send("/responses", input="How big is Paris?", text={"format": wanted}).json()
    assert "Paris" in json.loads(body["output"][0]["content"][0]["text"]).values()


def test_nothing_is_stored(shared: Client) -> None:
    """The server keeps no state: an earlier response is not found."""
    reply = shared.send("/responses", input="Hi", previous_response_id="resp_1")
    assert reply.status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"input": []},
        {"input": [3]},
        {"input": [{"type": "message", "role": "nobody"}]},
        {"input": [{"type": 3}]},
        {"tools": [{"type": "function"}]},
        {"tool_choice": "required"},
        {"tool_choice": {"name": "x"}},
        {"text": "json"},
    ],
)
def test_wrong_fields_are_refused(shared: Client, fields: dict[str, object]) -> None:
    """A wrong field is a 400 that names it."""
    reply = shared.send("/responses", **{"input": "Hi", **fields})
    assert reply.status_code == 400
    assert next(iter(fields)) in reply.json()["error"]["message"]

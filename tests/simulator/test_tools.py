"""Tools, structured answers, reasoning, log probabilities and images in chat completions."""

import json
from typing import Any

import pytest

from tests.simulator.conftest import Client, events

QUESTION = "What is a Finite State Machine?"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The current weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}},
        },
    },
}
CLOCK = {
    "type": "function",
    "function": {"name": "localTime", "description": "Tells hours and minutes of some place."},
}
TOOLS = [WEATHER, CLOCK]


def message(client: Client, text: str, **fields: object) -> Any:
    """The first choice's message."""
    return client.ask(text, **fields).json()["choices"][0]["message"]


def called(client: Client, text: str, **fields: object) -> list[str]:
    """The names of the tools that the answer calls."""
    calls = message(client, text, tools=TOOLS, **fields).get("tool_calls", [])
    return [call["function"]["name"] for call in calls]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("What is the weather in Paris?", ["get_weather"]),
        ("Please use get_weather.", ["get_weather"]),
        ("What is the local hour in Paris?", ["localTime"]),
        ("How many minutes and hours are left?", ["localTime"]),
        ("Weather and time in Paris?", ["get_weather", "localTime"]),
        (QUESTION, []),
    ],
)
def test_tools_are_called_that_the_question_is_for(
    shared: Client, text: str, names: list[str]
) -> None:
    """A tool is called for its name, a word of its name, or two words of its description."""
    assert called(shared, text) == names


def test_shape_of_a_tool_call(shared: Client) -> None:
    """A call has an id, a name and JSON arguments with words of the question."""
    reply = shared.ask("What is the weather in Paris?", tools=TOOLS).json()
    (choice,) = reply["choices"]
    (call,) = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert call["type"] == "function"
    arguments = json.loads(call["function"]["arguments"])
    assert arguments["city"] == "Paris"
    assert arguments["unit"] in ("C", "F")
    assert reply["usage"]["completion_tokens"] > 5


def test_streamed_calls_come_in_fragments(shared: Client) -> None:
    """Joined, the fragments of each call are the arguments of the plain answer."""
    fields = {"tools": TOOLS, "messages": [{"role": "user", "content": "Weather, time in Paris?"}]}
    plain = shared.send("/chat/completions", **fields).json()["choices"][0]["message"]
    *chunks, done = events(shared.send("/chat/completions", stream=True, **fields))
    assert done == "data: [DONE]"
    heads: dict[int, Any] = {}
    joined: dict[int, str] = {}
    for chunk in chunks:
        for piece in chunk["choices"][0]["delta"].get("tool_calls", ()):
            heads.setdefault(piece["index"], piece)
            name = piece["index"]
            joined[name] = joined.get(name, "") + piece["function"]["arguments"]
    assert len(chunks) > 6
    for index, call in enumerate(plain["tool_calls"]):
        assert heads[index]["id"] == call["id"]
        assert joined[index] == call["function"]["arguments"]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    ("choice", "text", "names"),
    [
        ("none", "Weather in Paris?", []),
        ("auto", "Weather in Paris?", ["get_weather"]),
        ("required", QUESTION, ["get_weather"]),
        ("required", "What is the time?", ["localTime"]),
        ({"type": "function", "function": {"name": "localTime"}}, "Weather?", ["localTime"]),
    ],
)
def test_tool_choice(shared: Client, choice: object, text: str, names: list[str]) -> None:
    """The caller can forbid tools, demand one, or name it."""
    assert called(shared, text, tool_choice=choice) == names


def test_parallel_calls_can_be_forbidden(shared: Client) -> None:
    """With parallel_tool_calls false only the first fitting tool is called."""
    text = "Weather and time in Paris?"
    assert called(shared, text, parallel_tool_calls=False) == ["get_weather"]


def test_a_result_is_used(shared: Client) -> None:
    """After the tools' results the answer is a text that holds them, unless a call is forced."""
    call = message(shared, "Weather in Paris?", tools=TOOLS)
    said = [
        {"role": "user", "content": "Weather in Paris?"},
        call,
        {"role": "tool", "tool_call_id": call["tool_calls"][0]["id"], "content": "18 degrees"},
    ]
    reply = shared.send("/chat/completions", messages=said, tools=TOOLS).json()
    assert reply["choices"][0]["message"]["content"] == "The result is: 18 degrees."
    forced = shared.send("/chat/completions", messages=said, tools=TOOLS, tool_choice="required")
    assert forced.json()["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{}]},
        {"tools": "all"},
        {"tools": TOOLS, "tool_choice": "other"},
        {"tools": TOOLS, "tool_choice": {"type": "function"}},
        {"tool_choice": "required"},
        {"response_format": "json"},
        {"response_format": {"type": "xml"}},
        {"response_format": {"type": "json_schema"}},
        {"logprobs": 3},
        {"top_logprobs": 21},
        {"seed": "x"},
    ],
)
def test_wrong_fields_are_refused(shared: Client, fields: dict[str, object]) -> None:
    """A field of the wrong shape is a 400 that names it."""
    reply = shared.ask(QUESTION, **fields)
    assert reply.status_code == 400
    assert reply.json()["error"]["message"].startswith(tuple(fields))


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "size": {"type": "integer"}}}


@pytest.mark.parametrize(
    "fields",
    [
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "c", "schema": SCHEMA},
            }
        },
        {"guided_json": SCHEMA},
        {"nvext": {"guided_json": SCHEMA}},
        {"structured_outputs": {"json": SCHEMA}},
    ],
)
def test_structured_answers(shared: Client, fields: dict[str, object]) -> None:
    """In the words of OpenAI, NIM and vLLM: a JSON object made to the schema."""
    said = json.loads(shared.says("How big is Paris?", **fields))
    assert said["city"] == "Paris"
    assert isinstance(said["size"], int)


@pytest.mark.parametrize(
    "wanted", [{"type": "json_object"}, {"type": "json_schema", "json_schema": {"name": "any"}}]
)
def test_any_object(shared: Client, wanted: object) -> None:
    """Without a schema it is some object."""
    assert isinstance(json.loads(shared.says(QUESTION, response_format=wanted)), dict)


def test_text_is_a_format_too(shared: Client) -> None:
    """The format text, and a guide that is no schema, change nothing."""
    plain = shared.says(QUESTION)
    assert shared.says(QUESTION, response_format={"type": "text"}) == plain
    assert shared.says(QUESTION, guided_json="x") == plain


def test_a_judge_keeps_its_verdict(shared: Client) -> None:
    """A model that says JSON of itself says that, alone."""
    nonce = "0123456789abcdef"
    prompt = (
        f"<<<question {nonce}>>>\nWhat is DNA?\n<<<end {nonce}>>>\n"
        f"<<<answer {nonce}>>>\nA molecule.\n<<<end {nonce}>>>\n"
    )
    wanted = {"type": "json_object"}
    assert set(json.loads(shared.says(prompt, "judge", response_format=wanted))) == {
        "score",
        "reason",
    }
    braces = "{not json}"
    reply = shared.ask(braces, response_format=wanted).json()
    assert json.loads(reply["choices"][0]["message"]["content"])


def test_what_is_said_on_request_calls_no_tool(shared: Client) -> None:
    """``say`` goes before tools and formats, so that a test can have broken JSON."""
    body = shared.body("Weather? [[simulate say={broken]]", tools=TOOLS)
    assert shared.post(body).json()["choices"][0]["message"]["content"] == "{broken"


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_in_a_field(shared: Client, name: str) -> None:
    """By directive or model id, plain or streamed, the thoughts have their own field and count."""
    plain = shared.ask(f"{QUESTION} [[simulate reasoning={name}]]").json()
    assert plain["choices"][0]["message"][name].startswith("The user asks about")
    assert plain["usage"]["completion_tokens_details"]["reasoning_tokens"] > 10
    body = {**shared.body(QUESTION), "model": f"simulated/model-a:{name}", "stream": True}
    deltas = [chunk["choices"][0]["delta"] for chunk in events(shared.post(body))[:-1]]
    thought = "".join(delta.get(name, "") for delta in deltas)
    assert thought == plain["choices"][0]["message"][name]
    assert "".join(delta.get("content", "") for delta in deltas)


def test_reasoning_in_the_text(shared: Client) -> None:
    """A server without a parser leaves the thoughts in the text and cannot count them."""
    reply = shared.ask(f"{QUESTION} [[simulate reasoning=think]]").json()
    assert reply["choices"][0]["message"]["content"].startswith("<think>\nThe user asks")
    assert "completion_tokens_details" not in reply["usage"]
    assert "nothing in particular" in shared.says("? [[simulate reasoning=think]]")


def test_reasoning_before_a_call(shared: Client) -> None:
    """A model that thinks may call a tool all the same."""
    said = message(shared, "Weather? [[simulate reasoning]]", tools=TOOLS)
    assert said["reasoning"]
    assert said["tool_calls"]


def test_a_limit_may_end_the_thoughts(shared: Client) -> None:
    """Reasoning counts against the limit; nothing may be left for the answer."""
    reply = shared.ask(f"{QUESTION} [[simulate reasoning]]", max_tokens=3).json()
    (choice,) = reply["choices"]
    assert choice["message"]["reasoning"] == "The user asks"
    assert choice["message"]["content"] == ""
    assert choice["finish_reason"] == "length"
    assert reply["usage"]["completion_tokens"] == 3


@pytest.mark.parametrize("stream", [False, True])
def test_logprobs(shared: Client, *, stream: bool) -> None:
    """Every token of the answer has its log probability, bytes, and what else could have been."""
    reply = shared.ask(QUESTION, stream=stream, logprobs=True, top_logprobs=2)
    replies = events(reply)[:-1] if stream else [reply.json()]
    found = [
        entry
        for chunk in replies
        for entry in (chunk["choices"][0]["logprobs"] or {"content": []})["content"]
    ]
    assert "".join(entry["token"] for entry in found) == shared.says(QUESTION)
    assert all(entry["logprob"] <= 0 for entry in found)
    assert all(bytes(entry["bytes"]).decode() == entry["token"] for entry in found)
    assert all(len(entry["top_logprobs"]) == 2 for entry in found)


def test_images_are_counted(shared: Client) -> None:
    """Images in a message are seen, and cost tokens."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    parts = [{"type": "text", "text": QUESTION}, image, image]
    plain = shared.ask(QUESTION).json()
    reply = shared.ask(parts).json()
    assert reply["choices"][0]["message"]["content"].startswith("I see 2 images. ")
    assert reply["usage"]["prompt_tokens"] == plain["usage"]["prompt_tokens"] + 2 * 85


def test_seed_draws_anew(shared: Client) -> None:
    """The same seed gives the same answer, another one may give another."""
    first, again, *others = (shared.says(QUESTION, seed=seed) for seed in (1, 1, 2, 3, 4, 5))
    assert first == again
    assert set(others) - {first}


def test_a_stop_sequence_is_named(shared: Client) -> None:
    """The server says in stop_reason which sequence ended the answer."""
    (choice,) = shared.ask(QUESTION, stop=["zzz", "state"]).json()["choices"]
    assert (choice["finish_reason"], choice["stop_reason"]) == ("stop", "state")


def test_what_was_sent_before_is_cached(shared: Client) -> None:
    """The prompt of the last answer counts as cached, in whole blocks."""
    said = [{"role": "user", "content": "word " * 40}, {"role": "assistant", "content": "Yes."}]
    reply = shared.send("/chat/completions", messages=[*said, {"role": "user", "content": "And?"}])
    assert reply.json()["usage"]["prompt_tokens_details"] == {"cached_tokens": 32}


def test_a_conversation_without_a_user(shared: Client) -> None:
    """The last message is the question where the user has said nothing."""
    said = [{"role": "system", "content": "You are a poet."}, {"role": "user", "content": None}]
    reply = shared.send("/chat/completions", messages=said)
    assert reply.json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize("stream", [False, True])
def test_choices_are_interleaved(shared: Client, *, stream: bool) -> None:
    """Several choices are made at the same time; usage: null stands in all chunks but the last."""
    options = {"stream_options": {"include_usage": True}} if stream else {}
    reply = shared.ask(QUESTION, n=2, stream=stream, **options)
    if not stream:
        assert [choice["index"] for choice in reply.json()["choices"]] == [0, 1]
        return
    *chunks, usage, _ = events(reply)
    assert [chunk["choices"][0]["index"] for chunk in chunks[:4]] == [0, 1, 0, 1]
    assert all(chunk["usage"] is None for chunk in chunks)
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"]

"""Chat completions on the wire of NIM and vLLM: shapes, usage, limits, streams and refusals."""

import json
from typing import Any

import httpx
import pytest

from ai_gateway.simulator import Simulator
from ai_gateway.simulator.conversation import CONTEXT
from tests.simulator.conftest import Client, connect

QUESTION = "What is a Finite State Machine?"


def events(reply: httpx.Response) -> list[Any]:
    """The events of a stream, parsed but for its end mark."""
    lines = [line for line in reply.text.split("\n\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    return [line if line == "data: [DONE]" else json.loads(line[6:]) for line in lines]


def streamed_text(chunks: list[Any]) -> str:
    """What the deltas say, joined."""
    return "".join(
        choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"]
    )


def test_shape_of_a_completion(shared: Client) -> None:
    """A completion has the fields of a NIM, and says that it is simulated."""
    reply = shared.ask(QUESTION)
    body = reply.json()
    assert reply.status_code == 200
    assert reply.headers["x-gateway-simulated"] == "true"
    assert reply.headers["content-type"] == "application/json"
    assert body["object"] == "chat.completion"
    assert body["id"].startswith("chatcmpl-")
    assert body["model"] == "simulated/model-a"
    (choice,) = body["choices"]
    assert choice["message"]["role"] == "assistant"
    assert choice["finish_reason"] == "stop"
    usage = body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens"] == 4 + 7
    assert usage["prompt_tokens_details"] == {"cached_tokens": 0}


def test_same_request_same_bytes(shared: Client) -> None:
    """The same seed, model and messages give the same bytes, from another simulator too."""
    with Simulator().start() as other:
        client = connect(other)
        with client.http:
            assert client.ask(QUESTION).content == shared.ask(QUESTION).content


def test_answers_vary_with_text_and_seed(shared: Client) -> None:
    """Another wording or another seed changes the answers of at least some questions."""
    questions = [f"What is {subject}?" for subject in ("DNA", "TCP", "GRPO", "inflation")]
    variants = [shared.says(f"Please tell me: {question}") for question in questions]
    with Simulator(seed=1).start() as other:
        client = connect(other)
        with client.http:
            seeded = [client.says(question) for question in questions]
    said = [shared.says(question) for question in questions]
    assert said != variants
    assert said != seeded


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_max_tokens_is_honoured(shared: Client, field: str) -> None:
    """An answer is cut at the limit, and says so in its finish reason and usage."""
    whole = shared.says(QUESTION)
    body = shared.post({**shared.body(QUESTION), field: 5}).json()
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 5
    assert whole.startswith(body["choices"][0]["message"]["content"])


@pytest.mark.parametrize("stop", [".", [".", "zzz"], ["", "."]])
def test_stop_sequences_end_the_answer(shared: Client, stop: str | list[str]) -> None:
    """An answer ends before the first stop sequence that it holds."""
    assert shared.says(QUESTION, stop=stop) == shared.says(QUESTION).partition(".")[0]


def test_n_choices_differ(shared: Client) -> None:
    """``n`` gives as many choices, each drawn for itself."""
    choices = shared.ask("What is a large language model?", n=8).json()["choices"]
    assert [choice["index"] for choice in choices] == list(range(8))
    assert len({choice["message"]["content"] for choice in choices}) > 1


def test_the_last_user_message_counts(shared: Client) -> None:
    """Text parts are read, earlier turns vary the answer, and the last user message is answered."""
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is DNA?"},
        {"role": "assistant", "content": None},
        {"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "data:,"}},
            {"type": "text", "text": "What is TCP?"},
        ]},
    ]  # fmt: skip
    body = shared.post({**shared.body(""), "messages": messages}).json()
    assert "TCP" in body["choices"][0]["message"]["content"]


def test_no_user_message_is_answered_too(shared: Client) -> None:
    """Messages without any of the user's get an answer about nothing."""
    messages = [{"role": "system", "content": "Be brief."}]
    assert shared.post({**shared.body(""), "messages": messages}).status_code == 200


def test_stream_without_usage(shared: Client) -> None:
    """A stream holds the same text in chunks, then a finish reason, then [DONE]."""
    reply = shared.ask(QUESTION, stream=True)
    *chunks, done = events(reply)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert done == "data: [DONE]"
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert streamed_text(chunks) == shared.says(QUESTION)
    assert all("usage" not in chunk for chunk in chunks)


def test_stream_with_usage(shared: Client) -> None:
    """With include_usage one more chunk has no choices and the usage of the whole."""
    *_, last, done = events(
        shared.ask(QUESTION, stream=True, stream_options={"include_usage": True})
    )
    assert done == "data: [DONE]"
    assert last["choices"] == []
    assert last["usage"] == shared.ask(QUESTION).json()["usage"]


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"model": None}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": ["Hi"]}, "messages"),
        ({"messages": [{"role": "robot", "content": "Hi"}]}, "messages"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}, "messages"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": -1}, "top_p"),
        ({"n": 9}, "n"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stop": [1]}, "stop"),
        ({"max_tokens": CONTEXT}, "maximum context length"),
    ],
)
def test_bad_parameters(shared: Client, fields: dict[str, object], names: str) -> None:
    """A wrong parameter is a 400 in vLLM's nested shape that names it."""
    reply = shared.post({**shared.body("Hi"), **fields})
    error = reply.json()["error"]
    assert reply.status_code == error["code"] == 400
    assert error["type"] == "BadRequestError"
    assert names in error["message"]


def test_unknown_parameters_are_taken(shared: Client) -> None:
    """Fields that the simulator does not act on do not disturb it."""
    reply = shared.ask("Hi", tools=[], response_format={"type": "json_object"}, nvext={})
    assert reply.status_code == 200

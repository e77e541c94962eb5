"""Anthropic's messages, at its own address and at a NIM's."""

import json
from typing import Any

import httpx
import pytest

from tests.simulator.conftest import Client, events

QUESTION = "What is a Finite State Machine?"
WEATHER = {
    "name": "get_weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}

IMAGE = {"type": "image", "source": {"type": "base64", "data": "AA"}}


def ask(client: Client, text: object, endpoint: str = "anthropic", **fields: Any) -> httpx.Response:
    """One question."""
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": 500, **fields}
    return client.send("/messages", endpoint, **body)


@pytest.mark.parametrize("endpoint", ["anthropic", "model-a", "model-b"])
def test_shape_of_a_message(shared: Client, endpoint: str) -> None:
    """A message has text blocks, a stop reason and usage, on all servers that have the API."""
    reply = ask(shared, QUESTION, endpoint)
    body = reply.json()
    assert (body["type"], body["role"], body["stop_reason"]) == ("message", "assistant", "end_turn")
    assert body["content"][0]["type"] == "text"
    assert body["usage"]["input_tokens"] == 11
    assert body["usage"]["output_tokens"] > 5
    assert reply.headers["request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("headers", "status", "kind"),
    [
        ({"x-api-key": ""}, 401, "authentication_error"),
        ({"x-api-key": "expired"}, 401, "authentication_error"),
        ({"anthropic-version": "2020-01-01"}, 400, "invalid_request_error"),
    ],
)
def test_a_key_is_needed(shared: Client, headers: dict[str, str], status: int, kind: str) -> None:
    """Without a good key the answer is Anthropic's 401."""
    reply = shared.http.post(f"{shared.bases['anthropic']}/messages", json={}, headers=headers)
    assert reply.status_code == status
    assert reply.json()["error"]["type"] == kind


def test_a_version_is_needed(shared: Client) -> None:
    """Without anthropic-version the answer is a 400."""
    reply = httpx.get(
        f"{shared.bases['anthropic']}/models", headers={"x-api-key": "k"}, trust_env=False
    )
    assert (reply.status_code, reply.json()["type"]) == (400, "error")


def test_a_key_may_be_a_bearer_token(shared: Client) -> None:
    """The newest clients send the key so."""
    headers = {"authorization": "Bearer k", "anthropic-version": "2026-10-21"}
    url = f"{shared.bases['anthropic']}/models"
    assert httpx.get(url, headers=headers, trust_env=False).status_code == 200


CITED = {"type": "text", "text": "x", "citations": [{"type": "char_location"}]}
DOCUMENT = {"type": "document", "source": {"type": "text", "data": "x"}}


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"temperature": 1}, True),
        ({"top_k": 1}, True),
        ({"messages": [{"role": "user", "content": [CITED]}]}, True),
        ({"messages": [{"role": "assistant", "content": [DOCUMENT]}]}, True),
        ({"messages": [{"role": "user", "content": [DOCUMENT]}]}, False),
        ({}, False),
    ],
)
def test_the_newest_version_takes_less(
    shared: Client, fields: dict[str, object], *, refused: bool
) -> None:
    """What 2023-06-01 takes, 2026-10-21 may refuse."""
    said = [{"role": "user", "content": QUESTION}]
    body = {"model": "claude-simulated", "max_tokens": 9, "messages": said, **fields}
    statuses = [
        shared.http.post(
            f"{shared.bases['anthropic']}/messages", json=body, headers={"anthropic-version": name}
        ).status_code
        for name in ("2023-06-01", "2026-10-21")
    ]
    assert statuses == [200, 400 if refused else 200]


def test_models_and_unknown_paths(shared: Client) -> None:
    """The one model is listed; errors have Anthropic's shape on any path."""
    base = shared.bases["anthropic"]
    assert shared.http.get(f"{base}/models").json()["data"][0]["id"] == "claude-simulated"
    for path, status in (("/models/x", 404), ("/nothing", 404), ("/messages", 405)):
        reply = shared.http.get(base + path)
        assert (reply.status_code, reply.json()["type"]) == (status, "error")
    outside = base.replace("/anthropic/", "/namespaces/serving-default/endpoints/anthropic/")
    assert shared.http.get(f"{outside}/models").status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"max_tokens": None},
        {"messages": [{"role": "system", "content": "x"}]},
        {"messages": [{"role": "user"}]},
        {"tools": [{"type": "function"}]},
        {"tool_choice": {"type": "tool", "name": "x"}},
        {"tool_choice": {"type": "x"}},
        {"thinking": {"type": "enabled", "budget_tokens": 10}},
        {"thinking": {"type": "enabled", "budget_tokens": "x"}},
        {"temperature": 2},
    ],
)
def test_wrong_fields_are_refused(shared: Client, fields: dict[str, object]) -> None:
    """A wrong field is an invalid_request_error that names it."""
    reply = ask(shared, QUESTION, **fields)
    assert reply.status_code == 400
    assert reply.json()["error"]["type"] == "invalid_request_error"
    assert next(iter(fields)) in reply.json()["error"]["message"]


def test_count_tokens(shared: Client) -> None:
    """The count is that of the prompt, system and tools included."""
    said = [{"role": "user", "content": QUESTION}]
    path = "/messages/count_tokens"
    plain = shared.send(path, "anthropic", messages=said).json()
    system = [{"type": "text", "text": "Be brief."}]
    full = shared.send(path, "anthropic", messages=said, system=system, tools=[WEATHER]).json()
    assert plain == {"input_tokens": 11}
    assert full["input_tokens"] > 11 + 7


def test_a_stream(shared: Client) -> None:
    """Named events, a ping, deltas that make the plain text, stop reason and usage at the end."""
    plain = ask(shared, QUESTION).json()
    found = events(ask(shared, QUESTION, stream=True))
    kinds = [event["type"] for event in found]
    assert kinds[:3] == ["message_start", "content_block_start", "ping"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert found[0]["message"]["usage"]["input_tokens"] == 11
    said = "".join(event["delta"].get("text", "") for event in found if "delta" in event)
    assert said == plain["content"][0]["text"]
    assert found[-2]["delta"]["stop_reason"] == "end_turn"
    assert found[-2]["usage"]["output_tokens"] == plain["usage"]["output_tokens"]


@pytest.mark.parametrize(
    ("fields", "reason", "sequence"),
    [
        ({"max_tokens": 3}, "max_tokens", None),
        ({"stop_sequences": ["state"]}, "stop_sequence", "state"),
    ],
)
def test_stop_reasons(
    shared: Client, fields: dict[str, object], reason: str, sequence: str | None
) -> None:
    """An answer that ends early says why."""
    body = ask(shared, QUESTION, **fields).json()
    assert (body["stop_reason"], body["stop_sequence"]) == (reason, sequence)


@pytest.mark.parametrize("choice", ["auto", "any", "tool", "none"])
def test_tools(shared: Client, choice: str) -> None:
    """A tool is called as a block with an object, unless tools are forbidden."""
    chosen = {"type": choice, **({"name": "get_weather"} if choice == "tool" else {})}
    body = ask(shared, "Weather in Paris?", tools=[WEATHER], tool_choice=chosen).json()
    assert (body["stop_reason"] == "tool_use") == (choice != "none")
    if choice != "none":
        (block,) = body["content"]
        assert (block["name"], block["input"]) == ("get_weather", {"city": "Paris"})
        assert block["id"].startswith("toolu_")


def test_streamed_tool_input(shared: Client) -> None:
    """The input of each call comes as pieces of JSON, the first of them empty."""
    clock = {"name": "get_time", "input_schema": WEATHER["input_schema"]}
    found = events(ask(shared, "Weather, time in Paris?", tools=[WEATHER, clock], stream=True))
    starts = [event["content_block"] for event in found if event["type"] == "content_block_start"]
    assert [start["name"] for start in starts] == ["get_weather", "get_time"]
    assert all(start["input"] == {} for start in starts)
    pieces = [
        event["delta"]["partial_json"]
        for event in found
        if event["type"] == "content_block_delta" and event["index"] == 1
    ]
    assert pieces[0] == ""
    assert json.loads("".join(pieces)) == {"city": "Paris"}


@pytest.mark.parametrize("more", [[], [IMAGE]])
def test_results_and_thoughts_are_taken_back(shared: Client, more: list[object]) -> None:
    """After a tool's result, with the model's own blocks before it, the answer holds the result."""
    first = ask(shared, "Weather in Paris?", tools=[WEATHER], thinking={"type": "enabled"}).json()
    call = first["content"][1]
    said = [
        {"role": "user", "content": "Weather in Paris?"},
        {"role": "assistant", "content": first["content"]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": call["id"], "content": "18 degrees"},
                *more,
            ],
        },
    ]
    body = {"messages": said, "max_tokens": 99, "tools": [WEATHER]}
    reply = shared.send("/messages", "anthropic", **body).json()
    assert reply["content"][0]["text"] == "The result is: 18 degrees."


@pytest.mark.parametrize("stream", [False, True])
def test_thinking(shared: Client, *, stream: bool) -> None:
    """A thinking block with a signature stands before the text."""
    thinking = {"type": "enabled", "budget_tokens": 1024}
    reply = ask(shared, QUESTION, stream=stream, thinking=thinking)
    if not stream:
        first, second = reply.json()["content"]
        assert first["thinking"].startswith("The user asks")
        assert first["signature"]
        assert second["type"] == "text"
        return
    deltas = [event["delta"] for event in events(reply) if event["type"] == "content_block_delta"]
    kinds = [delta["type"] for delta in deltas]
    assert kinds.index("signature_delta") < kinds.index("text_delta")
    assert deltas[0] == {"type": "thinking_delta", "thinking": "The"}


def test_caching_is_counted_where_it_is_marked(shared: Client) -> None:
    """A marked prompt is written at first; what was sent before is read in the next turn."""
    long = [{"type": "text", "text": "word " * 40, "cache_control": {"type": "ephemeral"}}]
    first = ask(shared, QUESTION, system=long).json()["usage"]
    assert first["cache_creation_input_tokens"] == 44
    assert first["cache_read_input_tokens"] == 0
    said = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "And?"},
    ]
    second = shared.send("/messages", "anthropic", messages=said, system=long, max_tokens=9).json()
    assert second["usage"]["cache_read_input_tokens"] == 48
    assert (
        sum(
            second["usage"][name]
            for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
        )
        == 44 + 11 + 6 + 6
    )


@pytest.mark.parametrize("name", ["output_config", "output_format"])
def test_structured_answers(shared: Client, name: str) -> None:
    """A schema gives a JSON text that fits it."""
    wanted = {"type": "json_schema", "schema": WEATHER["input_schema"]}
    fields = {name: {"format": wanted} if name == "output_config" else wanted}
    body = ask(shared, "How big is Paris?", **fields).json()
    assert json.loads(body["content"][0]["text"]) == {"city": "Paris"}


def test_an_image_alone_is_a_message(shared: Client) -> None:
    """A message may hold nothing but an image."""
    assert ask(shared, [IMAGE]).json()["content"][0]["text"].startswith("I see 1 images")

"""What clients use, on each surface of text, before each kind of model, whole and streamed."""

import json
from typing import Any

import pytest

from ai_gateway.simulator import endpoints

PATHS = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
    "completions": "/v1/completions",
}
ROUTES = "".join(
    f"""
  - path: {path}
    function: functions.v1.{path.removeprefix("/v1/").replace("/", "_")}:handle
    auth: api-key
    guardrails: []
"""
    for path in PATHS.values()
)
MODELS = ("model-a", "model-b", "claude")
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["city", "people"],
    "additionalProperties": False,
}
NAMES = {"get_weather": "The current weather in a city.", "get_time": "The local time at a place."}
PICTURE = "data:image/png;base64,iVBORw0KGgo="
each_surface = pytest.mark.parametrize("surface", ["chat", "messages", "responses"])
each_model = pytest.mark.parametrize("model", MODELS)
streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.fixture
def gateway(start, simulator):
    """Every surface of text, NIM, vLLM and Anthropic behind."""
    url = endpoints(simulator.url)["anthropic"]
    claude = f"url: {url}, model_id: claude-simulated, dialect: anthropic"
    return start(ROUTES, models=f"  claude: {{{claude}, credentials: {{token: t}}}}\n")


def body(surface: str, content: Any) -> dict[str, Any]:
    """A question in the surface's own format; ``content`` is a text or parts."""
    said = [{"role": "user", "content": content}]
    forms: dict[str, dict[str, Any]] = {
        "chat": {"messages": said},
        "messages": {"messages": said, "max_tokens": 2000},
        "responses": {"input": said},
        "completions": {"prompt": content},
    }
    return forms[surface]


def ask(gateway, surface, model, content, *, stream=False, **more) -> Any:
    """The answer, put together where it is streamed, as the whole one is."""
    sent = {"model": model, "stream": stream, **body(surface, content), **more}
    reply = gateway.client.post(PATHS[surface], json=sent, headers=gateway.headers)
    assert reply.status_code == 200, reply.text
    return COLLECT[surface](events(reply)) if stream else reply.json


def events(reply) -> list[dict[str, Any]]:
    """The data of a stream's events, the last of which says that it is whole."""
    lines = [line for line in reply.text.split("\n") if line.startswith("data: ")]
    return [json.loads(line[6:]) for line in lines if line != "data: [DONE]"]


def chunks(found) -> dict[str, Any]:
    """A chat's chunks as its answer."""
    message: dict[str, Any] = {}
    calls: dict[int, dict[str, str]] = {}
    whole: dict[str, Any] = {"choices": [{"message": message}]}
    for chunk in found:
        whole["usage"] = chunk.get("usage")
        for choice in chunk["choices"]:
            for key, value in choice["delta"].items():
                if key == "tool_calls":
                    for call in value:
                        kept = calls.setdefault(call["index"], {"name": "", "arguments": ""})
                        for name in kept:
                            kept[name] += call["function"].get(name) or ""
                elif isinstance(value, str):
                    message[key] = message.get(key, "") + value
            for name in ("logprobs", "finish_reason"):
                whole["choices"][0][name] = choice.get(name) or whole["choices"][0].get(name)
    message["tool_calls"] = [{"function": call} for call in calls.values()]
    return whole


def blocks(found) -> dict[str, Any]:
    """The Messages API's events as its answer."""
    content: list[dict[str, Any]] = []
    whole: dict[str, Any] = {"content": content, "usage": found[0]["message"]["usage"]}
    for event in found:
        if event["type"] == "content_block_start":
            content.append({**event["content_block"], "json": ""})
        elif event["type"] == "content_block_delta":
            for name, piece in event["delta"].items():
                key = "json" if name == "partial_json" else name
                if key != "type":
                    content[-1][key] = content[-1].get(key, "") + piece
        elif event["type"] == "message_delta":
            whole |= {**event["delta"], "usage": {**whole["usage"], **event["usage"]}}
    for block in content:
        if block["type"] == "tool_use":
            block["input"] = json.loads(block["json"] or "{}")
    return whole


def texts(found) -> dict[str, Any]:
    """The chunks of a completion as its answer."""
    said = "".join(choice["text"] for chunk in found for choice in chunk["choices"])
    return {"choices": [{"text": said}], "usage": found[-1].get("usage")}


COLLECT = {
    "chat": chunks,
    "messages": blocks,
    "responses": lambda found: found[-1]["response"],
    "completions": texts,
}


def text(surface, answer) -> str:
    """What an answer says."""
    if surface == "chat":
        return answer["choices"][0]["message"].get("content") or ""
    if surface == "messages":
        return "".join(block.get("text", "") for block in answer["content"])
    parts = [part for item in answer["output"] for part in item.get("content") or ()]
    return "".join(part["text"] for part in parts if part["type"] == "output_text")


def thought(surface, answer) -> str:
    """What the model thought before."""
    if surface == "chat":
        message = answer["choices"][0]["message"]
        return message.get("reasoning_content") or message.get("reasoning") or ""
    if surface == "messages":
        return "".join(block.get("thinking", "") for block in answer["content"])
    items = [item for item in answer["output"] if item["type"] == "reasoning"]
    return "".join(part["text"] for item in items for part in item["content"])


def calls(surface, answer) -> list[tuple[str, dict[str, Any]]]:
    """The tools that an answer calls, with what."""
    if surface == "chat":
        found = [call["function"] for call in answer["choices"][0]["message"]["tool_calls"]]
        return [(call["name"], json.loads(call["arguments"])) for call in found]
    if surface == "messages":
        found = [block for block in answer["content"] if block["type"] == "tool_use"]
        return [(block["name"], block["input"]) for block in found]
    found = [item for item in answer["output"] if item["type"] == "function_call"]
    return [(call["name"], json.loads(call["arguments"])) for call in found]


def tools(surface) -> list[dict[str, Any]]:
    """Two tools in the surface's own format."""
    schema = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
    if surface == "messages":
        return [
            {"name": name, "description": does, "input_schema": schema}
            for name, does in NAMES.items()
        ]
    functions = [
        {"name": name, "description": does, "parameters": schema} for name, does in NAMES.items()
    ]
    if surface == "responses":
        return [{"type": "function", **function} for function in functions]
    return [{"type": "function", "function": function} for function in functions]


@each_surface
@each_model
@streamed
def test_tools_are_called_at_once(gateway, surface, model, stream) -> None:
    """Two calls in one answer come with their names and whole arguments."""
    answer = ask(
        gateway, surface, model, "Weather and time in Paris?", stream=stream, tools=tools(surface)
    )
    found = calls(surface, answer)
    assert [name for name, _ in found] == ["get_weather", "get_time"]
    assert all(arguments["place"] for _, arguments in found)
    (row,) = gateway.rows()
    assert row["output"].count("place") == 2


@each_surface
@each_model
@streamed
def test_answers_keep_to_a_schema(gateway, surface, model, stream) -> None:
    """A structured answer is JSON that fits."""
    options: dict[str, Any] = {
        "chat": {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "town", "schema": SCHEMA, "strict": True},
            }
        },
        "messages": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        "responses": {"text": {"format": {"type": "json_schema", "name": "t", "schema": SCHEMA}}},
    }
    more = options[surface]
    answer = ask(gateway, surface, model, "Which town?", stream=stream, **more)
    assert set(json.loads(text(surface, answer))) == {"city", "people"}


@each_surface
@each_model
@streamed
def test_pictures_are_seen(gateway, surface, model, stream) -> None:
    """A picture in a message reaches the model."""
    pictures: dict[str, Any] = {
        "chat": {"type": "image_url", "image_url": {"url": PICTURE}},
        "messages": {
            "type": "image",
            "source": {
                "type": "base64",
                "media_type": "image/png",
                "data": PICTURE.split(",")[1],
            },
        },
        "responses": {"type": "input_image", "image_url": PICTURE},
    }
    picture = pictures[surface]
    words = {"type": "input_text" if surface == "responses" else "text", "text": "What is GRPO?"}
    answer = ask(gateway, surface, model, [words, picture, picture], stream=stream)
    assert "2 images" in text(surface, answer)


@each_surface
@pytest.mark.parametrize("kind", ["think", "reasoning", "reasoning_content"])
@streamed
def test_thoughts_come_in_every_form(gateway, surface, kind, stream) -> None:
    """A thought in a field of its own stays apart from the answer; one in the text stays there."""
    asked = f"What is GRPO? [[simulate reasoning={kind}]]"
    answer = ask(gateway, surface, "model-a", asked, stream=stream)
    if kind == "think":
        assert text(surface, answer).startswith("<think>")
    else:
        assert len(thought(surface, answer)) > 5
        assert "think" not in text(surface, answer)
    (row,) = gateway.rows()
    assert row["output"] == text(surface, answer)


@pytest.mark.parametrize("surface", ["chat", "messages", "responses"])
@streamed
def test_claudes_thoughts_come_too(gateway, surface, stream) -> None:
    """A Messages model thinks for every caller who asks it to."""
    options: dict[str, Any] = {
        "chat": {"reasoning_effort": "low"},
        "messages": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
        "responses": {"reasoning": {"effort": "low"}},
    }
    more = options[surface]
    answer = ask(gateway, surface, "claude", "What is GRPO?", stream=stream, **more)
    assert len(thought(surface, answer)) > 5
    assert len(text(surface, answer)) > 5


@pytest.mark.parametrize("surface", ["chat", "responses"])
@streamed
def test_probabilities_of_tokens(gateway, surface, stream) -> None:
    """Log probabilities come where they are asked for, and are a 400 where no model has them."""
    options: dict[str, Any] = {
        "chat": {"logprobs": True, "top_logprobs": 2},
        "responses": {"include": ["message.output_text.logprobs"], "top_logprobs": 2},
    }
    more = options[surface]
    answer = ask(gateway, surface, "model-a", "What is GRPO?", stream=stream, **more)
    if surface == "chat":
        found = answer["choices"][0]["logprobs"]["content"]
    else:
        found = answer["output"][-1]["content"][0]["logprobs"]
    assert len(found[0]["top_logprobs"]) == 2
    sent = {"model": "claude", **body(surface, "What is GRPO?"), **more}
    reply = gateway.client.post(PATHS[surface], json=sent, headers=gateway.headers)
    assert (reply.status_code, "logprobs" in reply.json["error"]["param"]) == (400, True)


@pytest.mark.parametrize("model", ["model-a", "model-b"])
def test_probabilities_of_a_completion(gateway, model) -> None:
    """The older API has them in a shape of its own."""
    answer = ask(gateway, "completions", model, "GRPO is", logprobs=2)
    assert answer["choices"][0]["logprobs"]["top_logprobs"]


@pytest.mark.parametrize("surface", ["chat", "completions"])
@pytest.mark.parametrize("asked", [True, False])
def test_usage_comes_to_who_asks(gateway, surface, asked) -> None:
    """The gateway always learns the tokens of a stream; the caller only where he asked."""
    more = {"stream_options": {"include_usage": True}} if asked else {}
    answer = ask(gateway, surface, "model-a", "What is GRPO?", stream=True, **more)
    assert (answer["usage"] is not None) is asked
    (row,) = gateway.rows()
    assert row["output_tokens"] > 0


@each_surface
@each_model
@streamed
def test_tokens_are_counted(gateway, surface, model, stream) -> None:
    """Every answer's tokens are on record, and those that the caller is told are the same."""
    more = {"stream_options": {"include_usage": True}} if stream and surface == "chat" else {}
    answer = ask(gateway, surface, model, "What is GRPO?", stream=stream, **more)
    (row,) = gateway.rows()
    told = answer["usage"]
    names = ("prompt_tokens", "completion_tokens") if surface == "chat" else (
        "input_tokens", "output_tokens")  # fmt: skip
    assert (told[names[0]], told[names[1]]) == (row["input_tokens"], row["output_tokens"])


@streamed
def test_translated_answers_have_their_time(gateway, stream) -> None:
    """A Messages model says no time; its answer to a chat has the request's own."""
    sent = {"model": "claude", "stream": stream, **body("chat", "What is GRPO?")}
    reply = gateway.client.post(PATHS["chat"], json=sent, headers=gateway.headers)
    found = events(reply) if stream else [reply.json]
    (row,) = gateway.rows()
    assert {chunk["created"] for chunk in found} == {row["received_at"] // 10**6}

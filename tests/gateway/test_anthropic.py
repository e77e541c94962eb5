"""A model that speaks Anthropic's dialect, asked through the whole gateway."""

import json

import pytest

pytestmark = pytest.mark.wire

CLAUDE = """  claude:
    url: {url}/anthropic/v1
    model_id: claude-simulated
    dialect: anthropic
    credentials: {{token: a-key{header}}}
    timeout: {{whole: 5s}}
"""
ROUTES = """
  - path: /v1/messages
    function: functions.v1.messages:handle
    errors: anthropic
    auth: api-key
    guardrails: []
  - path: /v1/chat/completions
    function: functions.v1.chat_completions:handle
    auth: api-key
    guardrails: []
  - path: /inference
    function: functions.inference:handle
    auth: api-key
    guardrails: []
"""
TOOL = {
    "name": "weather",
    "description": "The weather somewhere.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@pytest.fixture(params=["", ", header: authorization"], ids=["x-api-key", "bearer"])
def gateway(start, simulator, request):
    """Every text surface, with Claude behind it, whose key goes in either header."""
    return start(ROUTES, models=_model(simulator, request.param))


@pytest.fixture
def plain(start, simulator):
    """The same with the key where Anthropic looks for it."""
    return start(ROUTES, models=_model(simulator))


def _model(simulator, header=""):
    return CLAUDE.format(url=simulator.url, header=header)


def ask(gateway, path="/v1/messages", text="What is GRPO?", headers=(), **more):
    """A question to Claude in either API."""
    body = {
        "model": "claude",
        "max_tokens": 300,
        "messages": [{"role": "user", "content": text}],
        **more,
    }
    return gateway.client.post(path, json=body, headers={**gateway.headers, **dict(headers)})


def events(reply) -> list[dict]:
    """The data of a stream's events, without the end."""
    lines = reply.get_data(as_text=True).splitlines()
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [json.loads(line) for line in data if line != "[DONE]"]


def test_a_messages_caller_is_answered_natively(gateway) -> None:
    """The answer is the model's own, under the gateway's name of it; the row has its usage."""
    reply = ask(gateway)
    assert (reply.status_code, reply.json["type"], reply.json["model"]) == (
        200,
        "message",
        "claude",
    )
    assert reply.headers["request-id"] == reply.headers["x-request-id"]
    (row,) = gateway.rows()
    assert row["output"] == reply.json["content"][0]["text"]
    assert row["output_tokens"] == reply.json["usage"]["output_tokens"]


def test_nothing_of_a_native_request_is_lost(plain) -> None:
    """Cache marks, thinking, its signature and tools reach the model as they were sent."""
    mark = {"type": "ephemeral"}
    marked = [{"type": "text", "text": "You are terse. " * 50, "cache_control": mark}]
    more = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4000}
    reply = ask(plain, system=marked, **more)
    thought, said = reply.json["content"]
    assert (thought["type"], said["type"]) == ("thinking", "text")
    assert thought["signature"]
    assert reply.json["usage"]["cache_creation_input_tokens"] > 0
    tools = ask(plain, text="Call weather", tools=[TOOL], tool_choice={"type": "any"})
    assert tools.json["content"][-1]["name"] == "weather"


def test_a_native_stream_keeps_every_event(plain) -> None:
    """Pings, thinking deltas and signatures pass as they come; the answer is recorded."""
    more = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4000}
    found = events(ask(plain, stream=True, **more))
    kinds = [event["type"] for event in found]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    assert "ping" in kinds
    assert found[0]["message"]["model"] == "claude"
    deltas = {event["delta"]["type"] for event in found if event["type"] == "content_block_delta"}
    assert deltas == {"thinking_delta", "signature_delta", "text_delta"}
    (row,) = plain.rows()
    text = "".join(event.get("delta", {}).get("text", "") for event in found)
    assert (row["output"], row["finish_reason"]) == (text, "end_turn")


def test_the_callers_version_is_the_one_that_is_asked_for(plain) -> None:
    """A later version of the API refuses what it dropped; without one the first is meant."""
    assert ask(plain, temperature=0.5).status_code == 200
    reply = ask(plain, temperature=0.5, headers={"anthropic-version": "2026-10-21"})
    assert (reply.status_code, reply.json["error"]["type"]) == (400, "invalid_request_error")
    assert "temperature" in reply.json["error"]["message"]


def test_a_feature_that_reaches_beyond_the_request_is_refused(plain) -> None:
    """Files lie in the operator's one account, so a beta for them is a 400 that says so."""
    reply = ask(plain, headers={"anthropic-beta": "interleaved-thinking-2025-05-14"})
    assert reply.status_code == 200
    reply = ask(plain, headers={"anthropic-beta": "files-api-2025-04-14"})
    assert (reply.status_code, "files-api" in reply.json["error"]["message"]) == (400, True)


@pytest.mark.parametrize("stream", [False, True])
def test_a_chat_caller_is_answered_by_claude(gateway, *, stream) -> None:
    """A caller of chat completions is served by an Anthropic model, whole or streamed."""
    reply = ask(gateway, "/v1/chat/completions", stream=stream)
    assert reply.status_code == 200
    if stream:
        found = events(reply)
        text = "".join(c["delta"].get("content") or "" for e in found for c in e["choices"])
        assert found[-1]["choices"][0]["finish_reason"] == "stop"
    else:
        text = reply.json["choices"][0]["message"]["content"]
        assert reply.json["model"] == "claude"
    (row,) = gateway.rows()
    assert row["output"] == text


def test_the_plain_surface_is_answered_by_claude(plain) -> None:
    """/inference knows no dialects and needs none."""
    reply = plain.ask("What is GRPO?", model_name="claude")
    assert (reply.status_code, reply.json["model"]) == (200, "claude")


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        ("status=400", 400, "invalid_request_error"),
        ("status=413", 413, "request_too_large"),
        ("status=429; retry-after=7", 429, "rate_limit_error"),
        ("status=500", 500, "api_error"),
        ("status=529; retry-after=3", 529, "overloaded_error"),
        ("error-200", 500, "api_error"),
        ("html", 502, "api_error"),
        ("status=401", 502, "api_error"),
    ],
)
def test_errors_keep_their_shape(plain, fault, status, kind) -> None:
    """What Anthropic refuses is an error of its own shape, with the wait it asked for."""
    plain.simulator.faults["anthropic"] = fault
    reply = ask(plain)
    assert (reply.status_code, reply.json["type"]) == (status, "error")
    assert reply.json["error"]["type"] == kind
    wanted = fault.partition("retry-after=")[2] or None
    assert reply.headers.get("retry-after") == wanted


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
@pytest.mark.parametrize("fault", ["late-error=5", "cut=mid-body"])
def test_a_stream_that_breaks_says_so(plain, path, fault) -> None:
    """A late error and a cut are an error event of the caller's own API, never a silent end."""
    plain.simulator.faults["anthropic"] = fault
    last = events(ask(plain, path, stream=True))[-1]
    assert last["error"]["message"]
    assert last.get("type") == ("error" if path == "/v1/messages" else None)
    (row,) = plain.rows()
    assert row["status"] >= 500

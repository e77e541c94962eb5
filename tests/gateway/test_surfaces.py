"""The other APIs of /v1: each is parsed, answered and rendered in its own format."""

import json

import pytest

ROUTES = "".join(
    f"""
  - path: /v1/{name}
    function: functions.v1.{name}:handle
    errors: {"anthropic" if name == "messages" else "openai"}
    auth: api-key
    guardrails: [forbidden]
"""
    for name in ("messages", "responses", "completions", "embeddings", "rerank", "ranking")
)
POLICIES = {
    "forbidden": """
version: 1
name: forbidden
checks:
  - {name: words, type: phrases, stages: [input], action: block, phrases: [xyzzy]}
"""
}
BODIES = {
    "messages": lambda text: {"max_tokens": 200, "messages": [{"role": "user", "content": text}]},
    "responses": lambda text: {"input": text},
    "completions": lambda text: {"prompt": text},
    "embeddings": lambda text: {"input": [text]},
    "rerank": lambda text: {"query": text, "documents": ["a", "b"]},
    "ranking": lambda text: {"query": {"text": text}, "passages": [{"text": "a"}]},
}


@pytest.fixture
def gateway(start):
    """Every surface, one policy."""
    return start(ROUTES, policies=POLICIES)


def ask(gateway, surface, text="What is GRPO?", **more):
    """A request in the surface's own format."""
    body = {"model": "model-a", **BODIES[surface](text), **more}
    return gateway.client.post(f"/v1/{surface}", json=body, headers=gateway.headers)


def test_messages_are_answered_in_anthropics_format(gateway) -> None:
    """A Messages caller is served by a chat model, and recorded."""
    reply = ask(gateway, "messages")
    assert (reply.status_code, reply.json["type"], reply.json["model"]) == (
        200,
        "message",
        "model-a",
    )
    (row,) = gateway.rows()
    assert row["output"] == reply.json["content"][0]["text"]
    assert row["surface"] == "messages"


def test_responses_are_answered_in_their_own_format(gateway) -> None:
    """A Responses caller is served by a chat model."""
    reply = ask(gateway, "responses")
    assert (reply.status_code, reply.json["object"]) == (200, "response")
    assert reply.json["output"][-1]["content"][0]["type"] == "output_text"


@pytest.mark.parametrize(
    ("surface", "first", "last"),
    [
        ("messages", "message_start", "message_stop"),
        ("responses", "response.created", "response.completed"),
    ],
)
def test_named_events_are_streamed(gateway, surface, first, last) -> None:
    """The events have their names, and the last one says that the answer is whole."""
    reply = ask(gateway, surface, stream=True)
    events = [part.split("\n") for part in reply.text.split("\n\n") if part]
    names = [event[0].removeprefix("event: ") for event in events]
    assert (names[0], names[-1]) == (first, last)
    assert all(
        json.loads(event[1].removeprefix("data: "))["type"] == name
        for event, name in zip(events, names, strict=True)
    )
    assert [row["status"] for row in gateway.rows()] == [200]


@pytest.mark.parametrize(
    ("surface", "names"),
    [("messages", ["error"]), ("responses", ["error", "response.failed"])],
)
def test_a_late_failure_is_told_as_the_api_does(gateway, surface, names) -> None:
    """The event of the failure comes first, as SDKs expect; the numbers of events go on."""
    gateway.simulator.faults["model-a"] = "late-error=4"
    reply = ask(gateway, surface, stream=True)
    events = [part.split("\n") for part in reply.text.split("\n\n") if part]
    assert [event[0].removeprefix("event: ") for event in events][-len(names) :] == names
    if surface == "responses":
        numbers = [
            json.loads(event[1].removeprefix("data: "))["sequence_number"] for event in events
        ]
        assert numbers == list(range(len(numbers)))


def test_anthropics_sdks_find_the_requests_id(gateway) -> None:
    """They look for it in a header of their own."""
    for reply in (ask(gateway, "messages"), ask(gateway, "messages", "say xyzzy")):
        assert reply.headers["request-id"] == reply.headers["x-request-id"]
    assert "request-id" not in ask(gateway, "responses").headers


@pytest.mark.parametrize("surface", sorted(BODIES))
def test_what_is_forbidden_passes_on_no_surface(gateway, surface) -> None:
    """Every surface's texts are guarded; the refusal has the surface's shape."""
    reply = ask(gateway, surface, "say xyzzy")
    assert reply.status_code == 403
    if surface == "messages":
        assert (reply.json["type"], reply.json["error"]["type"]) == ("error", "permission_error")
    else:
        assert reply.json["error"]["code"] == "policy_violation"
    assert not gateway.simulator.counts


@pytest.mark.parametrize("surface", sorted(BODIES))
def test_what_is_no_request_is_a_400(gateway, surface) -> None:
    """Bodies of the wrong shape are the caller's error, never the gateway's."""
    for body in ([], "text", {"Model": "x"}, {"model": 5, **BODIES[surface]("x")}):
        reply = gateway.client.post(f"/v1/{surface}", json=body, headers=gateway.headers)
        assert reply.status_code == 400, body
    assert not gateway.simulator.counts


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], "at least one was expected"),
        ([{"role": "robot", "content": "x"}], "messages.0: an object with the role"),
        ([{"role": "user", "content": 1}], "messages.0.content: a string or a list"),
        (["x"], "messages.0: an object with the role"),
    ],
)
def test_messages_that_are_none_are_refused_with_where_they_are(gateway, messages, said) -> None:
    """What guardrails cannot read goes to no model; the error is in Anthropic's shape."""
    reply = ask(gateway, "messages", messages=messages)
    assert (reply.status_code, reply.json["error"]["type"]) == (400, "invalid_request_error")
    assert said in reply.json["error"]["message"]

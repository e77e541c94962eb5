"""Streamed answers: passed on as they come, ended visibly, recorded when they end."""

import json

import pytest

ROUTES = """
  - path: /v1/chat/completions
    function: functions.v1.chat_completions:handle
    auth: api-key
    guardrails: [{policies}]
"""
POLICIES = {
    "answers": """
version: 1
name: answers
checks:
  - {name: words, type: phrases, stages: [output], action: block, phrases: [plugh]}
""",
}


@pytest.fixture
def gateway(start):
    """One route without policies."""
    return start(ROUTES.format(policies=""))


@pytest.fixture
def guarded(start):
    """One route whose answers are checked."""
    return start(ROUTES.format(policies="answers"), policies=POLICIES)


def ask(gateway, text="What is GRPO?", **body):
    """A streamed request to the chat route."""
    body = {"messages": [{"role": "user", "content": text}], "stream": True, **body}
    return gateway.client.post("/v1/chat/completions", json=body, headers=gateway.headers)


def events(reply) -> list:
    """The data of a stream's events; the end as it is."""
    found = [part.removeprefix("data: ") for part in reply.text.split("\n\n") if part]
    return [part if part == "[DONE]" else json.loads(part) for part in found]


def said(chunks) -> str:
    """The text of a stream of chunks."""
    return "".join(
        choice["delta"].get("content") or ""
        for chunk in chunks
        if chunk != "[DONE]"
        for choice in chunk.get("choices", ())
    )


def test_chunks_are_passed_on_and_recorded(gateway) -> None:
    """The stream ends with [DONE]; the row has the whole text and the tokens."""
    reply = ask(gateway, model="model-a")
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.headers["x-gateway-model"] == "model-a"
    *chunks, end = events(reply)
    assert end == "[DONE]"
    assert {chunk["model"] for chunk in chunks} == {"model-a"}
    (row,) = gateway.rows()
    assert row["output"] == said(chunks)
    assert row["output_tokens"] > 0
    assert (row["status"], row["finish_reason"], row["served"]) == (200, "stop", "model-a")
    assert row["time_to_first_token_ms"] <= row["latency_ms"]


@pytest.mark.parametrize("asked", [True, False])
def test_usage_is_shown_to_who_asked(gateway, asked) -> None:
    """The gateway asks for the usage always; the caller sees it if he did."""
    options = {"stream_options": {"include_usage": True}} if asked else {}
    chunks = events(ask(gateway, **options))[:-1]
    assert any(chunk.get("usage") for chunk in chunks) is asked
    assert all(chunk["choices"] for chunk in chunks) is not asked
    (row,) = gateway.rows()
    assert row["input_tokens"] > 0


def test_a_failure_before_the_first_event_is_a_status(gateway) -> None:
    """What fails before anything was sent is an error like any other."""
    gateway.simulator.faults["model-a"] = "status=500"
    reply = ask(gateway, model="model-a")
    assert (reply.status_code, reply.json["error"]["code"]) == (500, "upstream_error")
    assert [row["status"] for row in gateway.rows()] == [500]


@pytest.mark.parametrize("fault", ["late-error", "cut=mid-body", "no-done; cut=mid-body"])
def test_a_failure_after_it_is_an_event(gateway, fault) -> None:
    """A stream that breaks ends with an error event and without [DONE]; its row says so."""
    gateway.simulator.faults["model-a"] = fault
    reply = ask(gateway, model="model-a")
    assert reply.status_code == 200
    last = events(reply)[-1]
    assert set(last["error"]) == {"message", "type", "param", "code"}
    (row,) = gateway.rows()
    assert (row["status"], row["error"]) == (last and row["status"], last["error"]["code"])
    assert row["status"] >= 500


def test_a_stream_without_done_that_is_finished_is_whole(gateway) -> None:
    """Some upstreams leave [DONE] out; a finish reason says that the answer is whole."""
    gateway.simulator.faults["model-a"] = "no-done"
    assert events(ask(gateway, model="model-a"))[-1] == "[DONE]"


def test_a_caller_who_leaves_is_recorded(gateway) -> None:
    """What had been said by then stands in the row, and the upstream's connection is closed."""
    body = {"messages": [{"role": "user", "content": "What is GRPO?"}], "stream": True}
    reply = gateway.client.post("/v1/chat/completions", json=body, headers=gateway.headers)
    chunks = iter(reply.response)
    first = next(chunks)
    reply.close()
    (row,) = gateway.rows()
    assert (row["status"], row["error"]) == (499, "client_closed_request")
    assert first


def test_a_caller_who_never_reads_is_recorded(gateway) -> None:
    """A stream that nobody began to read has its row as well."""
    ask(gateway).close()
    assert len(gateway.rows()) == 1


def test_a_checked_answer_is_held_back_until_it_passed(guarded) -> None:
    """Where a policy reads answers, a stream is checked whole before its first event is sent."""
    *chunks, end = events(ask(guarded, model="model-a"))
    assert (bool(said(chunks)), end) == (True, "[DONE]")
    (row,) = guarded.rows()
    assert (row["status"], row["output"]) == (200, said(chunks))


def test_a_refused_answer_is_refused_as_a_stream_too(guarded) -> None:
    """stream: true is no way round a policy."""
    guarded.simulator.faults["model-a"] = "say=the word is plugh"
    reply = ask(guarded, model="model-a")
    assert (reply.status_code, reply.json["error"]["code"]) == (403, "policy_violation")
    assert "plugh" not in reply.text
    assert [(row["status"], row["output"]) for row in guarded.rows()] == [
        (403, "the word is plugh")
    ]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", ["reasoning", "reasoning_content"])
def test_what_a_model_thought_is_guarded_as_its_answer_is(start, stream, kind) -> None:
    """The caller sees it, so a policy of answers holds for it, whole and streamed."""
    policies = {"answers": POLICIES["answers"].replace("plugh", "the user asks")}
    gateway = start(ROUTES.format(policies="answers"), policies=policies)
    reply = ask(gateway, f"What is GRPO? [[simulate reasoning={kind}]]", stream=stream)
    assert (reply.status_code, "policy_violation" in reply.text) == (403, True)

"""Streamed answers under a policy: checked while they flow, with the verdict of the whole."""

import json

import pytest

ROUTES = """
  - {path: /v1/chat/completions, function: "functions.v1.chat_completions:handle", auth: api-key}
  - {path: /v1/messages, function: "functions.v1.messages:handle", errors: anthropic, auth: api-key}
  - {path: /v1/responses, function: "functions.v1.responses:handle", auth: api-key}
  - {path: /v1/completions, function: "functions.v1.completions:handle", auth: api-key}
"""
POLICY = """
version: 1
name: answers
STREAM
checks:
  - {name: words, type: phrases, stages: [output], action: block, phrases: [plugh now]}
"""
LONG = "one two three four " * 40
BODIES: dict[str, dict[str, object]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Go on."}]},
    "/v1/messages": {"messages": [{"role": "user", "content": "Go on."}], "max_tokens": 2000},
    "/v1/responses": {"input": "Go on."},
    "/v1/completions": {"prompt": "Go on.", "max_tokens": 2000},
}


def guarded(start, stream=""):
    """A gateway whose answers are checked; ``stream`` says how."""
    return start(ROUTES, policies={"answers": POLICY.replace("STREAM", stream)})


def ask(gateway, path="/v1/chat/completions", *, stream=True):
    """One question."""
    body = {"model": "model-a", "stream": stream, **BODIES[path]}
    return gateway.client.post(path, json=body, headers=gateway.headers)


def errors(reply) -> list[dict]:
    """The errors in a stream."""
    lines = [line[6:] for line in reply.text.split("\n") if line.startswith("data: {")]
    found = [json.loads(line) for line in lines]
    return [event["error"] for event in found if event.get("error")]


@pytest.mark.parametrize("path", BODIES)
def test_a_block_ends_the_stream_with_an_error(start, path) -> None:
    """What was said before it had left; what was forbidden had not, nor what comes after it."""
    gateway = guarded(start)
    gateway.simulator.faults["model-a"] = f"say={LONG}plugh now {LONG}"
    reply = ask(gateway, path)
    assert reply.status_code == 200
    assert "three" in reply.text
    assert "plugh" not in reply.text
    assert "policy" in json.dumps(errors(reply))
    assert "[DONE]" not in reply.text


def test_what_had_left_is_counted(start) -> None:
    """The row says how many characters had, and so does a metric; the model did not fail."""
    gateway = guarded(start)
    gateway.simulator.faults["model-a"] = f"say={LONG}plugh now"
    reply = ask(gateway)
    lines = [line[6:] for line in reply.text.split("\n") if line.startswith("data: {")]
    chunks = [json.loads(line) for line in lines if "choices" in line]
    said = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    (row,) = gateway.rows()
    assert (row["status"], row["error"]) == (403, "policy_violation")
    assert row["leaked"] == len(said) > 500
    assert [attempt["error"] for attempt in row["attempts"]] == [None]
    assert row["verdicts"][0]["rule"] == "plugh now"
    metric = f'leaked_characters_total{{route="v1-chat-completions"}} {float(len(said))}'
    exposed = gateway.snapshot.context.metrics.expose().decode()
    assert metric in exposed
    labels = '{action="block",check="words",mode="enforce",policy="answers"}'
    assert f"ai_gateway_guardrail_verdicts_total{labels} 1.0" in exposed


@pytest.mark.parametrize("path", BODIES)
def test_an_answer_that_passes_is_whole(start, path) -> None:
    """Windows change nothing of what passes."""
    gateway = guarded(start)
    gateway.simulator.faults["model-a"] = f"say={LONG}"
    streamed = ask(gateway, path)
    assert not errors(streamed)
    assert streamed.text.count("three") >= 40
    (row,) = gateway.rows()
    assert (row["status"], row["output"].split(), row["leaked"]) == (200, LONG.split(), None)


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("said", ["plugh now", "plugh later", f"{LONG} plugh now", LONG])
def test_the_verdict_is_the_same_streamed_or_not(start, path, said) -> None:
    """On all surfaces: refused or not, by the same checks."""
    gateway = guarded(start)
    gateway.simulator.faults["model-a"] = f"say={said}"
    for stream in (False, True):
        assert ask(gateway, path, stream=stream).text
    whole, streamed = gateway.rows()
    assert whole["status"] == streamed["status"]
    assert {v["rule"] for v in whole["verdicts"]} == {v["rule"] for v in streamed["verdicts"]}


def test_a_short_answer_is_refused_before_its_status(start) -> None:
    """What is known before anything has left is a 403 like any other."""
    gateway = guarded(start)
    gateway.simulator.faults["model-a"] = "say=plugh now"
    reply = ask(gateway)
    assert (reply.status_code, reply.json["error"]["code"]) == (403, "policy_violation")
    assert gateway.rows()[0]["leaked"] == 0


def test_buffer_full_lets_nothing_leave_before_all_is_checked(start) -> None:
    """For who needs certainty, however long the answer is."""
    gateway = guarded(start, "stream: {buffer: full}")
    gateway.simulator.faults["model-a"] = f"say={LONG}plugh now"
    reply = ask(gateway)
    assert (reply.status_code, reply.json["error"]["code"]) == (403, "policy_violation")
    gateway.simulator.faults["model-a"] = f"say={LONG}"
    assert ask(gateway).text.count("three") == 40


def test_arguments_of_tools_are_checked_in_streams(start) -> None:
    """Whole and streamed, they have one verdict."""
    policy = POLICY.replace("STREAM", "").replace("plugh now", "paris")
    gateway = start(ROUTES, policies={"answers": policy})
    function = {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    }
    body = {
        "model": "model-a",
        "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
        "tools": [{"type": "function", "function": function}],
    }
    for stream in (False, True):
        reply = gateway.client.post(
            "/v1/chat/completions", json={**body, "stream": stream}, headers=gateway.headers
        )
        assert (reply.status_code, "policy_violation" in reply.text) == (403, True)


def test_a_caller_who_leaves_a_checked_stream_is_recorded_once(start) -> None:
    """His leaving closes the model's connection, and the row says so."""
    gateway = guarded(start)
    gateway.simulator.faults["model-a"] = f"say={LONG}"
    reply = ask(gateway)
    next(iter(reply.response))
    reply.close()
    (row,) = gateway.rows()
    assert (row["status"], row["error"]) == (499, "client_closed_request")


def test_a_stream_that_breaks_is_told_and_recorded_once(start) -> None:
    """A model's failure after the first window is an error event, as without policies."""
    gateway = guarded(start)
    gateway.simulator.faults["model-a"] = f"say={LONG}; late-error=60"
    reply = ask(gateway)
    assert errors(reply)
    (row,) = gateway.rows()
    assert row["status"] >= 500
    assert row["leaked"] is None

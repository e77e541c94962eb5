"""A policy that redacts: no model and no record sees it, and the caller gets his own words back."""

import json

import pytest

CHAT = "/v1/chat/completions"
ROUTES = """
  - {path: /v1/chat/completions, function: "functions.v1.chat_completions:handle", auth: api-key, CACHE}
  - {path: /v1/messages, function: "functions.v1.messages:handle", errors: anthropic, auth: api-key}
  - {path: /v1/responses, function: "functions.v1.responses:handle", auth: api-key}
  - {path: /inference, function: "functions.inference:handle", auth: api-key}
"""
CODE_NAME = "Project Titan"


def policies(stages="[input, system, tool]", more=""):
    """A policy that redacts a code name in texts of ``stages``."""
    return {
        "names": f"""
version: 1
name: names
{more}
checks:
  - {{name: code-name, type: phrases, stages: {stages}, action: redact, phrases: [{CODE_NAME}]}}
"""
    }


@pytest.fixture
def gateway(start):
    """What callers say is redacted."""
    return start(ROUTES.replace(", CACHE", ""), policies=policies())


@pytest.fixture
def answers(start):
    """What models say is redacted."""
    return start(ROUTES.replace(", CACHE", ""), policies=policies("[output]"))


def post(gateway, path, **body):
    """One request with the administrator's key."""
    body = {"model": "model-a", **body}
    return gateway.client.post(path, json=body, headers=gateway.headers)


def told(text):
    """Messages of one user."""
    return [{"role": "user", "content": text}]


def sent(gateway) -> str:
    """The last body that a model got."""
    return json.dumps(gateway.simulator.requests[-1].body)


def held(row) -> str:
    """What a row holds beside the verdicts, whose rule is the operator's own phrase."""
    return str({**row, "verdicts": None})


ASKED = f"What is {CODE_NAME}?"
#: What the stand-in says, who got a placeholder.
SAID = "say=You asked of [CODE_NAME_1], I think"
TOLD = f"You asked of {CODE_NAME}, I think"


@pytest.fixture(autouse=True)
def echo(simulator):
    """The model repeats the placeholder that it got."""
    simulator.faults["model-a"] = SAID


def test_the_model_sees_a_placeholder_and_the_caller_his_own_words(gateway) -> None:
    """In the answer the placeholder is what it stands for again."""
    reply = post(gateway, CHAT, messages=told(ASKED))
    assert reply.json["choices"][0]["message"]["content"] == TOLD
    assert CODE_NAME not in sent(gateway)
    assert "[CODE_NAME_1]" in sent(gateway)


def test_no_record_holds_it(gateway) -> None:
    """Input, request and output are recorded with the placeholder, and the verdict with its place."""
    post(gateway, CHAT, messages=told(ASKED))
    (row,) = gateway.rows()
    assert CODE_NAME not in held(row)
    assert all("[CODE_NAME_1]" in row[name] for name in ("input", "request", "output"))
    assert [(v["action"], v["start"]) for v in row["verdicts"]] == [("redact", 8)]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses", "/inference"])
def test_every_surface_gives_the_words_back(gateway, path, stream) -> None:
    """Whole and streamed, in each API's own shape; no placeholder is left."""
    body = {
        "/v1/messages": {"max_tokens": 100, "messages": told(ASKED), "stream": stream},
        "/v1/responses": {"input": ASKED, "stream": stream},
        "/inference": {"inputs": ASKED, "model_name": "model-a"},
    }[path]
    if path == "/inference":
        reply = gateway.client.post(path, json=body, headers=gateway.headers)
    else:
        reply = post(gateway, path, **body)
    assert reply.status_code == 200
    assert "[CODE_NAME" not in reply.text
    assert "Titan" in reply.text
    assert CODE_NAME not in sent(gateway)


def test_every_text_of_a_request_is_redacted(gateway) -> None:
    """System prompt, parts, tool results, arguments of earlier calls: wherever it stands."""
    arguments = json.dumps({"of": CODE_NAME, "n": 1})
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    messages = [
        {"role": "system", "content": f"Keep {CODE_NAME} secret."},
        {"role": "user", "content": [{"type": "text", "text": f"What is {CODE_NAME}?"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": f"{CODE_NAME} is a project."},
    ]
    reply = post(gateway, CHAT, messages=messages)
    assert reply.status_code == 200
    assert CODE_NAME not in sent(gateway)
    seen = json.loads(sent(gateway))["messages"]
    assert json.loads(seen[2]["tool_calls"][0]["function"]["arguments"])["of"] == "[CODE_NAME_1]"
    assert CODE_NAME not in held(gateway.rows()[0])


def test_what_cannot_be_redacted_is_refused(gateway) -> None:
    """A name that is spread over two parts has no place of its own: nothing is let through."""
    parts = [{"type": "text", "text": "Project Ti"}, {"type": "text", "text": "tan?"}]
    reply = post(gateway, CHAT, messages=[{"role": "user", "content": parts}])
    assert (reply.status_code, reply.json["error"]["code"]) == (403, "policy_violation")
    assert not gateway.simulator.requests
    assert gateway.rows()[0]["selection"] == "guardrail"


def test_a_placeholder_of_the_callers_own_stays_his(gateway) -> None:
    """Numbers that stand in the request already are passed over."""
    gateway.simulator.faults["model-a"] = "say=[CODE_NAME_1] is not [CODE_NAME_2]"
    reply = post(gateway, CHAT, messages=told(f"Is [CODE_NAME_1] {CODE_NAME}?"))
    said = reply.json["choices"][0]["message"]["content"]
    assert said == f"[CODE_NAME_1] is not {CODE_NAME}"
    assert "[CODE_NAME_2]" in sent(gateway)


def test_a_cached_answer_gives_each_caller_his_own_words(start) -> None:
    """What is kept is the answer with placeholders, so that no caller gets another's words."""
    rules = policies()["names"].replace(f"[{CODE_NAME}]", f"[{CODE_NAME}, Project Dusk]")
    routes = ROUTES.replace("CACHE", "cache: {ttl: 1m, always: true}")
    gateway = start(routes, policies={"names": rules})
    first = post(gateway, CHAT, messages=told(ASKED), temperature=0)
    second = post(gateway, CHAT, messages=told("What is Project Dusk?"), temperature=0)
    assert second.headers["x-gateway-cache"] == "hit"
    assert CODE_NAME in first.text
    assert "Project Dusk" in second.text
    assert CODE_NAME not in second.text


def test_an_answer_is_redacted_for_good(answers) -> None:
    """What a model says of it leaves, and is recorded, as its kind."""
    answers.simulator.faults["model-a"] = f"say=You asked of {CODE_NAME}, I think"
    reply = post(answers, CHAT, messages=told("What?"))
    assert reply.json["choices"][0]["message"]["content"] == "You asked of [CODE_NAME], I think"
    (row,) = answers.rows()
    assert (row["verdicts"][0]["action"], row["status"]) == ("redact", 200)


@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/responses"])
def test_a_streamed_answer_is_redacted_before_it_leaves(answers, path) -> None:
    """In the deltas, and in the events that repeat all of it."""
    padding = "and so on, " * 30
    answers.simulator.faults["model-a"] = f"say={padding}{CODE_NAME} {padding}"
    body = {"input": "What?"} if path == "/v1/responses" else {"messages": told("What?")}
    if path == "/v1/messages":
        body["max_tokens"] = 1000
    reply = post(answers, path, **body, stream=True)
    assert reply.status_code == 200
    assert "Titan" not in reply.text
    events = [json.loads(line[6:]) for line in reply.text.split("\n") if line.startswith("data: {")]
    assert "".join(deltas(events)).strip() == f"{padding}[CODE_NAME] {padding}".strip()


def deltas(events):
    """The texts of a stream's deltas in any API."""
    for event in events:
        delta = event.get("delta")
        if isinstance(delta, str):
            yield delta
        elif isinstance(delta, dict):
            yield delta.get("text") or ""
        for choice in event.get("choices") or ():
            yield choice["delta"].get("content") or ""


def test_privacy_redacted_keeps_it_out_of_records_alone(start) -> None:
    """A policy that only observes lets all pass, and the record holds the kind."""
    text = policies()["names"].replace("action: redact", "action: redact, mode: observe")
    routes = ROUTES.replace("auth: api-key}", "auth: api-key, privacy: redacted}").replace(
        ", CACHE", ", privacy: redacted"
    )
    gateway = start(routes, policies={"names": text})
    gateway.simulator.faults["model-a"] = f"say={TOLD}"
    reply = post(gateway, CHAT, messages=told(ASKED))
    assert reply.json["choices"][0]["message"]["content"] == TOLD
    assert CODE_NAME in sent(gateway)
    (row,) = gateway.rows()
    assert CODE_NAME not in held(row)
    assert "[CODE_NAME]" in row["input"]
    assert json.loads(row["request"])["messages"]


@pytest.mark.parametrize("stream", [False, True])
def test_log_probabilities_do_not_tell_what_is_redacted(answers, stream) -> None:
    """Their tokens are the very words."""
    answers.simulator.faults["model-a"] = f"say=You asked of {CODE_NAME}, I think"
    reply = post(answers, CHAT, messages=told("What?"), logprobs=True, stream=stream)
    assert "[CODE_NAME]" in reply.text
    assert "Titan" not in reply.text

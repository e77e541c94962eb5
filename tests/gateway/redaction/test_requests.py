"""A policy that redacts: no model and no record sees it, and the caller gets his own words back."""

import io
import json

import pytest

from tests.gateway.redaction.conftest import (
    ASKED,
    CHAT,
    CODE_NAME,
    ROUTES,
    TOLD,
    held,
    policies,
    post,
    sent,
    told,
)


def test_the_model_sees_a_placeholder_and_the_caller_his_own_words(gateway) -> None:
    """In the answer the placeholder is what it stands for again."""
    reply = post(gateway, CHAT, messages=told(ASKED))
    assert reply.json["choices"][0]["message"]["content"] == TOLD
    assert CODE_NAME not in sent(gateway)
    assert "[CODE_NAME_1]" in sent(gateway)


def test_no_record_holds_it(gateway) -> None:
    """Input, request and output hold the placeholder, and the verdict its place."""
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
    (row,) = gateway.rows()
    assert row["selection"] == "guardrail"
    assert "tan?" not in held(row)


def test_escapes_hide_nothing_from_the_record(gateway) -> None:
    """What stands in arguments as an escape has no place: refused, and not recorded."""
    function = {"name": "f", "arguments": '{"of": "Project\\nTitan"}'}
    calls = [{"id": "c1", "type": "function", "function": function}]
    messages = [
        *told("Hi"),
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "x"},
    ]
    assert post(gateway, CHAT, messages=messages).status_code == 403
    assert "Titan" not in held(gateway.rows()[0])


@pytest.mark.parametrize(
    "more",
    [
        {"user": CODE_NAME},
        {"metadata": {"of": CODE_NAME}},
        {"stop": [CODE_NAME]},
        {"safety_identifier": CODE_NAME},
        {"prompt_cache_key": CODE_NAME},
        {"service_tier": CODE_NAME},
        {"logit_bias": {"x": CODE_NAME}},
        {"model": CODE_NAME},
    ],
)
def test_what_goes_with_a_request_is_redacted_too(gateway, more) -> None:
    """Whom it is of, where it stops: nobody judges it, and yet it would go out and be recorded."""
    post(gateway, CHAT, messages=told("Hi"), **more)
    assert CODE_NAME not in str(gateway.simulator.requests)
    assert CODE_NAME not in held(gateway.rows()[0])


def test_names_of_properties_are_not_read(gateway) -> None:
    """A form of the answer may call them what it wants, as a tool may."""
    schema = {"type": "object", "properties": {CODE_NAME: {"type": "string"}}}
    form = {"type": "json_schema", "json_schema": {"name": "f", "schema": schema}}
    reply = post(gateway, CHAT, messages=told(ASKED), response_format=form)
    assert reply.status_code == 200


@pytest.mark.parametrize("name", [f"{CODE_NAME}.png", f"Notes on {CODE_NAME}.png"])
def test_names_of_files_are_redacted(gateway, name) -> None:
    """In the form that a model gets, and in the description that is recorded."""
    fields = {"model": "model-a", "prompt": "a cat", "image": (io.BytesIO(b"x"), name)}
    gateway.client.post(
        "/v1/images/edits", data=fields, headers=gateway.headers, content_type="multipart/form-data"
    )
    assert "[CODE_NAME_1]" in str(gateway.simulator.requests)
    assert CODE_NAME not in str(gateway.simulator.requests)
    assert CODE_NAME not in held(gateway.rows()[0])


GUARD = """
  guard:
    url: ${MODEL_B_URL}
    model_id: ${MODEL_B_ID}
    credentials: {token: "${MODEL_B_TOKEN}"}
    candidate: false
"""


@pytest.mark.parametrize("stage", ["input", "output"])
def test_a_model_that_judges_sees_a_placeholder(start, stage) -> None:
    """It is a model like any other, and the request is shown to it with the answer, too."""
    check = f"stages: [{stage}], action: block, model: guard"
    rules = policies()["names"] + f"  - {{name: safety, type: llama_guard, {check}}}\n"
    gateway = start(ROUTES.replace("CACHE", ""), policies={"names": rules}, models=GUARD)
    gateway.simulator.faults["model-b"] = "say=safe"
    assert post(gateway, CHAT, messages=told(ASKED)).status_code == 200
    assert gateway.simulator.counts["model-b"] == 1
    assert CODE_NAME not in str(gateway.simulator.requests)


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


def test_a_name_of_the_bundle_is_no_secret(start) -> None:
    """A phrase that fits a model's name as well leaves the model's own name alone."""
    rules = policies()["names"].replace(f"[{CODE_NAME}]", f"[{CODE_NAME}, model a]")
    gateway = start(ROUTES.replace("CACHE", ""), policies={"names": rules})
    reply = post(gateway, CHAT, messages=told("Is it model-a?"))
    assert reply.status_code == 200
    (row,) = gateway.rows()
    assert row["model_requested"] == "model-a"
    assert json.loads(row["request"])["model"] == "model-a"
    assert "model-a" not in row["input"]

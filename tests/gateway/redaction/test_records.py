"""What a target sees and what stands in records where a policy redacts."""

import json
from urllib.parse import quote

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


def test_a_path_that_holds_it_is_not_recorded(gateway) -> None:
    """Where a parameter of it may be any text."""
    path = f"/v2/models/{quote(CODE_NAME)}/infer"
    gateway.client.post(path, json={"inputs": []}, headers=gateway.headers)
    (row,) = gateway.rows()
    assert row["path"] == "/v2/models/[CODE_NAME]/infer"
    assert CODE_NAME not in held(row)


@pytest.mark.parametrize(
    ("body", "kind", "reaches"),
    [
        ('{"messages": [{"content": "Is Project Titan"}]}', "application/json", True),
        ('{"Project Titan": 1, "messages": []}', "application/json", False),
        ('{"a": "Project Titan"}\n{"b": "Project Titan"}\n', "application/x-ndjson", True),
        ('{"a": "Project\\nTitan"}\n{"b": 1}\n', "application/x-ndjson", False),
        ("a=Project+Titan", "application/x-www-form-urlencoded", False),
        ("the Project Titan", "text/plain", True),
    ],
)
def test_a_target_sees_no_more_than_a_model(proxy, body, kind, reaches) -> None:
    """Whatever kind its body is; where nothing can be put in its place it is refused."""
    headers = {**proxy.headers, "content-type": kind}
    reply = proxy.client.post("/up/chat/completions", data=body, headers=headers)
    assert bool(proxy.simulator.requests) is reaches
    assert "Titan" not in str(proxy.simulator.requests)
    (row,) = proxy.rows()
    assert "Titan" not in held(row)
    assert ("[CODE_NAME_1]" in str(row["input"])) is reaches
    assert (reply.status_code, row["error"]) == (403, "policy_violation") or reaches


@pytest.mark.parametrize("path", ["/up/Project%20Titan", "/up/a?q=Project+Titan"])
def test_a_targets_path_cannot_be_redacted(proxy, path) -> None:
    """So it is refused, and not recorded as it came."""
    assert proxy.client.get(path, headers=proxy.headers).status_code == 403
    assert not proxy.simulator.requests
    assert "Titan" not in held(proxy.rows()[0])


def test_what_a_target_answers_is_recorded_as_it_leaves(proxy) -> None:
    """With its kind."""
    proxy.simulator.faults["model-a"] = f"say=You asked of {CODE_NAME}, I think"
    reply = proxy.client.post(
        "/up/chat/completions",
        json={"messages": told("Hi"), "model": "simulated/model-a"},
        headers=proxy.headers,
    )
    assert "You asked of [CODE_NAME], I think" in reply.text
    assert CODE_NAME not in held(proxy.rows()[0])


def test_privacy_redacted_keeps_it_out_of_records_alone(start) -> None:
    """A policy that only observes lets all pass, and the record holds the kind."""
    text = policies()["names"].replace("action: redact", "action: redact, mode: observe")
    routes = ROUTES.replace("auth: api-key}", "auth: api-key, privacy: redacted}").replace(
        "CACHE", "privacy: redacted"
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


def test_the_request_in_a_redacted_record_is_json(start) -> None:
    """What stands there with an escape is found, a number too, and no escape is cut in two."""
    rules = """
version: 1
name: names
checks:
  - name: card
    type: patterns
    stages: [output]
    mode: observe
    action: redact
    patterns: [{name: card, regex: '[0-9]{16}'}, {name: name, regex: 'Project\\sTitan|nAda'}]
"""
    routes = ROUTES.replace("CACHE", "privacy: redacted")
    gateway = start(routes, policies={"names": rules})
    text = "Of Project\nTitan\nAda"
    post(gateway, CHAT, messages=told(text), extra={"4111111111111111": 4111111111111111, "n": 7})
    request = json.loads(gateway.rows()[0]["request"])
    assert request["messages"][0]["content"] == "Of [CARD]\nAda"
    assert request["extra"] == {"[CARD]": "[CARD]", "n": 7}
    post(gateway, CHAT, messages=told("Hi"), model="4111111111111111")
    assert gateway.rows()[1]["model_requested"] == "[CARD]"


def test_a_redacted_record_knows_a_secret_by_its_name(start) -> None:
    """What is one because of the key that it stands under."""
    rules = (
        policies()["names"].replace(f", phrases: [{CODE_NAME}]", "").replace("phrases", "secrets")
    )
    gateway = start(ROUTES.replace("CACHE", "privacy: redacted"), policies={"names": rules})
    post(gateway, CHAT, messages=told("Hi"), extra={"password": "Tr0ub4dor&3xyz!"})
    assert json.loads(gateway.rows()[0]["request"])["extra"] == {"password": "[SECRET]"}

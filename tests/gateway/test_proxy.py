"""A route with a target: what stands behind comes under the same keys, policies and records."""

import pytest

ROUTE = """
  - name: predict
    path: /predict
    target: {target}
    methods: [GET, POST]
    auth: api-key
    guardrails: [forbidden]
    credentials: {{token: of-the-target}}
"""
POLICIES = {
    "forbidden": """
version: 1
name: forbidden
checks:
  - {name: words, type: phrases, stages: [input, output], action: block, phrases: [xyzzy]}
"""
}


@pytest.fixture
def gateway(start, simulator):
    """A legacy API behind /predict: the stand-in's first endpoint."""
    target = f"{simulator.url}/namespaces/serving-default/endpoints/model-a/v1"
    return start(ROUTE.format(target=target), policies=POLICIES)


def chat(text):
    """A body that the target takes."""
    return {"model": "simulated/model-a", "messages": [{"role": "user", "content": text}]}


def test_path_query_and_body_arrive_with_the_targets_own_token(gateway) -> None:
    """What is below the path goes to the target; the caller's secrets do not."""
    headers = {**gateway.headers, "Cookie": "session=canary", "REMOTE-USER": "canary"}
    reply = gateway.client.post(
        "/predict/chat/completions?a=1&b=%20", json=chat("What is GRPO?"), headers=headers
    )
    assert reply.status_code == 200
    assert reply.json["object"] == "chat.completion"
    assert (reply.headers["x-gateway-model"], reply.headers["x-gateway-decision"]) == (
        "predict",
        "pinned",
    )
    (seen,) = gateway.simulator.requests
    assert seen.path.endswith("/v1/chat/completions?a=1&b=%20")
    sent = {name.lower(): value for name, value in seen.headers.items()}
    assert sent["authorization"] == "Bearer of-the-target"
    assert "canary" not in str(sent)
    assert "x-api-key" not in sent


def test_it_is_recorded_like_a_model(gateway) -> None:
    """One row, with who asked, what was said, where it went and what came back."""
    gateway.client.post("/predict/chat/completions", json=chat("Hi"), headers=gateway.headers)
    (row,) = gateway.rows()
    assert (row["surface"], row["selection"], row["served"], row["status"]) == (
        "proxy",
        "pinned",
        "predict",
        200,
    )
    assert "Hi" in row["input"]
    assert row["attempts"][0]["status"] == 200


@pytest.mark.parametrize(
    "request_",
    [
        {"json": chat("say xyzzy")},
        {"json": {"deep": [{"xyzzy": 1}]}},
        {"data": b'{"a": "\\u0078yzzy"}'},
        {"data": b"say xyzzy", "content_type": "text/plain"},
        {"query_string": "q=xyzzy"},
    ],
)
def test_every_string_of_a_request_is_guarded(gateway, request_) -> None:
    """Values, keys, escapes, plain text and the query: what is forbidden does not get through."""
    reply = gateway.client.post("/predict/x", headers=gateway.headers, **request_)
    assert (reply.status_code, reply.json["error"]["code"]) == (403, "policy_violation")
    assert not gateway.simulator.requests


def test_json_with_two_readings_is_refused(gateway) -> None:
    """What the guardrails saw is what is sent, so a key that stands twice goes nowhere."""
    reply = gateway.client.post(
        "/predict/x", data=b'{"a": "fine", "a": "xyzzy"}', headers=gateway.headers
    )
    assert (reply.status_code, reply.json["error"]["code"]) == (400, "invalid_json")


def test_an_answer_is_guarded_too(gateway) -> None:
    """A forbidden word in the target's answer is kept back."""
    gateway.simulator.faults["model-a"] = "say=xyzzy"
    reply = gateway.client.post(
        "/predict/chat/completions", json=chat("Hi"), headers=gateway.headers
    )
    assert reply.status_code == 403


def test_the_targets_own_errors_come_back(gateway) -> None:
    """A status of the target is the caller's to see; a plain GET has no body to guard."""
    reply = gateway.client.get("/predict/nothing", headers=gateway.headers)
    assert reply.status_code == 404
    assert gateway.client.get("/predict/models", headers=gateway.headers).status_code == 200


@pytest.mark.parametrize("path", ["/predict/../secret", "/predict/%2e%2e/secret"])
def test_no_path_leaves_the_target(gateway, path) -> None:
    """Dot segments do not climb out of the target's own path."""
    reply = gateway.client.get(path, headers=gateway.headers)
    assert reply.status_code in (400, 404)
    assert not gateway.simulator.requests

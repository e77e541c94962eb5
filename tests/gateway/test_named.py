"""``model`` may be a route's name: its models are chosen from, and the rules of both hold."""

import pytest

ROUTES = """
  - path: /v1/chat/completions
    function: functions.v1.chat_completions:handle
    auth: api-key
    guardrails: []
    routing: {models: model-a}
  - path: /v1/models
    methods: [GET]
    function: functions.v1.models:handle
    auth: api-key
  - path: /v1/models/{name}
    methods: [GET]
    function: functions.v1.model:handle
    auth: api-key
  - path: /cheap
    function: functions.v1.chat_completions:handle
    auth: api-key
    guardrails: [forbidden]
    rateLimit: 2/hour
    routing: {models: model-b}
  - path: /api/v1/keys
    name: keys-issue
    function: functions.admin.key_issue:handle
    auth: api-key
  - path: /closed
    function: functions.v1.chat_completions:handle
    routing: {models: model-b}
"""
POLICIES = {
    "forbidden": """
version: 1
name: forbidden
checks:
  - {name: words, type: phrases, stages: [input], action: block, phrases: [xyzzy]}
"""
}


@pytest.fixture
def gateway(start):
    """A route for all, one that can be named, and one that nobody may call."""
    return start(ROUTES, policies=POLICIES)


def as_somebody(gateway) -> None:
    """From here on the caller has a key that was issued, and is no administrator."""
    issued = gateway.client.post("/api/v1/keys", json={"name": "a"}, headers=gateway.headers)
    gateway.headers = {"X-API-Key": issued.json["key"]}


def ask(gateway, model, text="What is GRPO?"):
    """A chat completion of ``model`` on the route for all."""
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    return gateway.client.post("/v1/chat/completions", json=body, headers=gateway.headers)


def test_a_named_routes_model_answers(gateway) -> None:
    """The choice is the named route's, and the row says who was named, asked and chosen from."""
    reply = ask(gateway, "cheap")
    assert (reply.status_code, reply.json["model"]) == (200, "model-b")
    assert reply.headers["x-gateway-decision"].startswith("policy")
    (row,) = gateway.rows()
    assert (row["route"], row["model_requested"]) == ("v1-chat-completions", "cheap")
    assert [found["model"] for found in row["candidates"]] == ["model-b"]
    assert row["policies"] == ["forbidden"]


def test_a_named_routes_guardrails_and_limit_hold(gateway) -> None:
    """Nobody gets round a route's rules by naming it on another."""
    assert ask(gateway, "cheap", "say xyzzy").status_code == 403
    assert ask(gateway, "cheap").status_code == 200
    limited = ask(gateway, "cheap")
    assert (limited.status_code, limited.json["error"]["code"]) == (429, "rate_limit_exceeded")
    assert sorted(row["status"] for row in gateway.rows()) == [200, 403, 429]
    assert ask(gateway, "model-a", "say xyzzy").status_code == 200


def test_a_route_may_be_named_on_itself(gateway) -> None:
    """It is asked by its own rules, and its limit is taken once."""
    body = {"model": "cheap", "messages": [{"role": "user", "content": "What is GRPO?"}]}
    replies = [gateway.client.post("/cheap", json=body, headers=gateway.headers) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]


def test_what_cannot_be_called_cannot_be_named(gateway) -> None:
    """A route that denies the caller is 403, one that chooses no model and an unknown one 404."""
    assert ask(gateway, "closed").status_code == 200  # the administrator may call every route
    as_somebody(gateway)
    assert ask(gateway, "closed").status_code == 403
    for name in ("v1-models", "nobody"):
        reply = ask(gateway, name)
        assert (reply.status_code, reply.json["error"]["code"]) == (404, "model_not_found")
    assert sorted(row["status"] for row in gateway.rows()) == [200, 403, 404, 404]


def test_models_lists_what_can_be_named(gateway) -> None:
    """``auto``, the models but the judge's, and the routes that the caller may call."""
    as_somebody(gateway)
    found = gateway.client.get("/v1/models", headers=gateway.headers).json["data"]
    names = [entry["id"] for entry in found]
    for entry in found:
        one = gateway.client.get(f"/v1/models/{entry['id']}", headers=gateway.headers)
        assert one.json == entry
    for name in ("judge", "closed", "nobody"):
        reply = gateway.client.get(f"/v1/models/{name}", headers=gateway.headers)
        assert (reply.status_code, reply.json["error"]["code"]) == (404, "model_not_found")
    assert names == ["auto", "model-a", "model-b", "v1-chat-completions", "cheap"]


def test_a_named_route_reads_no_larger_body(start) -> None:
    """What is too large for the named route is so from elsewhere too."""
    routes = ROUTES.replace("rateLimit: 2/hour", "max_body: 200")
    gateway = start(routes, policies=POLICIES)
    assert ask(gateway, "cheap", "x" * 200).status_code == 413
    assert ask(gateway, "model-a", "x" * 200).status_code == 200
    assert sorted(row["status"] for row in gateway.rows()) == [200, 413]

"""How many tokens a request has: counted by who can, estimated and marked where nobody can."""

import time

import pytest

ROUTES = """
  - path: /v1/messages/count_tokens
    function: functions.v1.messages_count_tokens:handle
    errors: anthropic
    auth: api-key
    guardrails: [forbidden]
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
def gateway(start, simulator):
    """A model that counts, and two that do not."""
    url = simulator.url + "/anthropic/v1"
    place = f"url: {url}, model_id: claude-simulated, credentials: {{token: t}}"
    return start(ROUTES, policies=POLICIES, models=f"  claude: {{{place}, dialect: anthropic}}\n")


def ask(gateway, content="What is GRPO?", model="model-a", **more):
    """The count of one message."""
    body = {"model": model, "messages": [{"role": "user", "content": content}], **more}
    path = "/v1/messages/count_tokens"
    return gateway.client.post(path, json=body, headers=gateway.headers)


def test_a_model_that_counts_is_asked(gateway) -> None:
    """The count is the model's own, and says nothing of an estimate."""
    reply = ask(gateway, model="claude")
    assert list(reply.json) == ["input_tokens"]
    assert "x-gateway-estimated" not in reply.headers
    assert gateway.simulator.counts
    (row,) = gateway.rows()
    assert (row["surface"], row["served"], row["status"]) == ("count_tokens", "claude", 200)
    assert (row["usage"], row["cost"]) == (None, None)


def test_an_estimate_says_that_it_is_one(gateway) -> None:
    """Nobody is asked; the row has no attempt and no usage."""
    reply = ask(gateway, "a" * 400)
    assert reply.json == {"input_tokens": 100 + 4 + 3, "estimated": True}
    assert reply.headers["x-gateway-estimated"] == "true"
    assert reply.headers["x-gateway-model"] == "model-a"
    assert not gateway.simulator.counts
    (row,) = gateway.rows()
    assert (row["served"], row["attempts"], row["usage"]) == ("model-a", [], None)
    assert row["response_digest"].startswith("sha256:")


@pytest.mark.parametrize("model", ["model-a", "claude"])
def test_an_estimate_needs_no_model_and_moves_no_circuit(start, simulator, model) -> None:
    """A model that is left alone is counted for, also as a fallback, and nobody has probed it."""
    chat = "  - {path: /inference, function: 'functions.inference:handle', auth: api-key}\n"
    fallback = "    fallback: {models: model-a}\n"
    breaker = "    breaker: {failures: 1, share: 0, cooldown: 300ms}\n"
    place = f"url: {simulator.url}/anthropic/v1, model_id: claude-simulated"
    claude = f"  claude: {{{place}, credentials: {{token: t}}, dialect: anthropic}}\n"
    gateway = start(ROUTES + fallback + chat, policies=POLICIES, models=breaker + claude)
    simulator.faults.update({"model-a": "status=500", "anthropic": "status=500"})
    assert gateway.ask("x", model_name="model-a").status_code == 500
    ((_, circuit),) = gateway.service.tries.turns.circuits
    if model == "model-a":
        assert (circuit.state, ask(gateway).status_code) == ("open", 200)
    time.sleep(0.35)
    assert (circuit.state, ask(gateway, model=model).json["estimated"]) == ("half-open", True)
    assert circuit.state == "half-open"
    assert simulator.counts["model-a"] == 1


def test_an_estimate_counts_tools_and_pictures(gateway) -> None:
    """What is no text is counted too."""
    plain = ask(gateway).json["input_tokens"]
    picture = {"type": "image", "source": {"type": "base64", "media_type": "a", "data": "b"}}
    result = {"type": "tool_result", "tool_use_id": "1", "content": [picture]}
    text = {"type": "text", "text": "What is GRPO?"}
    assert ask(gateway, [text, picture, result]).json["input_tokens"] == plain + 2 * 1600
    tool = {"name": "find", "input_schema": {"type": "object"}}
    assert ask(gateway, tools=[tool]).json["input_tokens"] > plain + 10


@pytest.mark.parametrize("model", ["claude", "model-a"])
def test_what_is_forbidden_is_not_counted(gateway, model) -> None:
    """Every surface is guarded, this one too; the error has Anthropic's shape."""
    reply = ask(gateway, "xyzzy", model)
    assert (reply.status_code, reply.json["error"]["type"]) == (403, "permission_error")
    assert ask(gateway, 5, model).status_code == 400

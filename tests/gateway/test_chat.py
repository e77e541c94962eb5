"""POST /v1/chat/completions: OpenAI's API in front of routed models."""

import pytest

CHAT = """
  - path: /v1/chat/completions
    function: functions.v1.chat_completions:handle
    auth: api-key
    guardrails: [{policies}]
  - {{path: /v1/models, methods: [GET], function: "functions.v1.models:handle", auth: api-key}}
"""
POLICIES = {
    "forbidden": """
version: 1
name: forbidden
checks:
  - {name: words, type: phrases, stages: [input, system, tool], action: block, phrases: [xyzzy]}
""",
    "answers": """
version: 1
name: answers
checks:
  - {name: words, type: phrases, stages: [output], action: block, phrases: [plugh]}
""",
}


@pytest.fixture
def gateway(start):
    """One route, one policy on questions."""
    return start(CHAT.format(policies="forbidden"), policies=POLICIES)


def ask(gateway, **body):
    """A request to the chat route."""
    body = {"messages": [{"role": "user", "content": "What is GRPO?"}], **body}
    return gateway.client.post("/v1/chat/completions", json=body, headers=gateway.headers)


def test_a_completion_has_the_gateways_name_of_the_model(gateway) -> None:
    """The model's own body comes back; who answered stands in it and in a header."""
    reply = ask(gateway, model="model-b", temperature=0, unknown_option={"kept": True})
    assert reply.status_code == 200
    assert reply.json["object"] == "chat.completion"
    assert reply.json["model"] == reply.headers["x-gateway-model"] == "model-b"
    (seen,) = gateway.simulator.requests
    sent = seen.body
    assert (sent["temperature"], sent["unknown_option"]) == (0, {"kept": True})
    (row,) = gateway.rows()
    assert (row["surface"], row["selection"], row["served"]) == ("chat", "pinned", "model-b")
    assert row["output"] == reply.json["choices"][0]["message"]["content"]


@pytest.mark.parametrize("stream", [False, True])
def test_the_models_own_number_of_the_request_is_told(gateway, stream) -> None:
    """Its operator asks for it; the request's own id stays the gateway's."""
    reply = ask(gateway, model="model-b", stream=stream)
    assert reply.text
    assert reply.headers["x-upstream-request-id"].startswith("req_")
    assert not reply.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("model", ["auto", None, ""])
def test_auto_lets_the_routing_choose(gateway, model) -> None:
    """Who names no model gets the one that routing chooses."""
    assert ask(gateway, model=model).headers["x-gateway-decision"].startswith("policy")


def test_models_lists_what_may_be_named(gateway) -> None:
    """The judge's model is not among them."""
    reply = gateway.client.get("/v1/models", headers=gateway.headers)
    assert [model["id"] for model in reply.json["data"]] == ["auto", "model-a", "model-b"]


@pytest.mark.parametrize(
    ("change", "param", "said"),
    [
        ({"messages": []}, "messages", "found none"),
        ({"messages": "hello"}, "messages", "a list was expected (found str)"),
        ({"messages": ["hello"]}, "messages.0", "an object with a role"),
        ({"messages": [{"content": "hi"}]}, "messages.0", "an object with a role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0", "a string or a list"),
        ({"messages": [{"role": "user", "Content": "x"}]}, "messages.0", "in other letters"),
        ({"Messages": []}, "Messages", "in other letters"),
        ({"max_token\u017f": 9}, "max_token\u017f", "in other letters"),
        ({"stream": "yes"}, "stream", "true or false"),
        ({"model": 5}, "model", "a string was expected"),
    ],
)
def test_a_bad_request_names_what_is_wrong(gateway, change, param, said) -> None:
    """Each is a 400 with the parameter's name, before any model is asked."""
    reply = ask(gateway, **change)
    error = reply.json["error"]
    assert (reply.status_code, error["param"]) == (400, param)
    assert said in error["message"]
    assert not gateway.simulator.counts


@pytest.mark.parametrize(
    "message",
    [
        {"role": "system", "content": "xyzzy"},
        {"role": "user", "content": [{"type": "text", "text": "xyzzy"}]},
        {"role": "user", "content": [{"type": "text", "text": "xy"}, {"text": "zzy"}]},
        {"role": "tool", "tool_call_id": "1", "content": "xyzzy"},
        {"role": "assistant", "content": None, "refusal": "xyzzy"},
        {
            "role": "assistant",
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": '"xyzzy"'}}
            ],
        },
    ],
)
def test_every_text_of_a_request_is_guarded(gateway, message) -> None:
    """System prompts, parts, tool results and arguments are read like a user's own words."""
    messages = [message, {"role": "user", "content": "Go on."}]
    reply = ask(gateway, messages=messages)
    assert (reply.status_code, reply.json["error"]["code"]) == (403, "policy_violation")
    assert not gateway.simulator.counts

"""POST /inference: a question, a model's answer, and one row that explains it."""

import json

import pytest

from ai_gateway.answer.route import choose
from ai_gateway.answer.weights import Score
from ai_gateway.manifest.model import Routing

INFERENCE = """
  - path: /inference
    function: functions.inference:handle
    auth: api-key
    max_body: 2000
    guardrails: [forbidden]
"""
POLICIES = {
    "forbidden": """
version: 1
name: forbidden
checks:
  - {name: words, type: phrases, stages: [input, output], action: block, phrases: [xyzzy]}
  - {name: seen, type: phrases, stages: [input], action: block, mode: observe, phrases: [plugh]}
"""
}


@pytest.fixture
def gateway(start):
    """One route, one policy."""
    return start(INFERENCE, policies=POLICIES)


def test_an_answer_says_who_gave_it_and_why(gateway) -> None:
    """The reply holds the id, the model and its text; headers say how the model was chosen."""
    reply = gateway.ask("What is a Finite State Machine?")
    assert reply.status_code == 200
    assert set(reply.json) == {"request_id", "model", "output"}
    assert reply.json["request_id"] == reply.headers["x-request-id"]
    assert reply.json["model"] == reply.headers["x-gateway-model"]
    assert reply.headers["x-gateway-decision"] == "policy; propensity=0.5"
    assert reply.headers["x-gateway-simulated"] == "true"
    assert "state" in reply.json["output"]


def test_one_row_holds_the_whole_decision(gateway) -> None:
    """The record has the question, the answer, the candidates, the tokens, the cost, the times."""
    reply = gateway.ask("What is a Markov Decision Process?", model_name="model-a")
    (row,) = gateway.rows()
    assert row["request_id"] == reply.json["request_id"]
    assert row["input"] == "What is a Markov Decision Process?"
    assert json.loads(row["request"])["messages"][0]["content"] == row["input"]
    assert row["output"] == reply.json["output"]
    assert (row["route"], row["surface"], row["key_id"]) == ("inference", "inference", "admin")
    assert (row["selection"], row["chosen"], row["served"]) == ("pinned", "model-a", "model-a")
    assert (row["propensity"], row["seed"]) == (1.0, None)
    assert [attempt["model"] for attempt in row["attempts"]] == ["model-a"]
    assert row["cost"] == pytest.approx((row["input_tokens"] + 4 * row["output_tokens"]) / 1e6)
    assert row["latency_ms"] >= row["overhead_ms"] >= 0
    assert row["simulated"]
    assert row["manifest_hash"].startswith("sha256:")
    assert row["response_digest"].startswith("sha256:")


def test_a_choice_is_derived_again_from_its_row(gateway) -> None:
    """Candidates' scores, the policy, the exploration share and the seed give the same choice."""
    for _ in range(20):
        gateway.ask("What is GRPO?")
    for row in gateway.rows():
        scores = {found["model"]: Score(found["score"]) for found in row["candidates"]}
        routing = Routing(policy=row["routing"], explore=row["explore"])
        again = choose(tuple(scores), scores, routing, row["seed"])
        assert (again.chosen, again.propensity) == (row["chosen"], row["propensity"])


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "text/plain", "application/json", None]
)
def test_json_is_read_whatever_it_is_called(gateway, content_type) -> None:
    """Curl -d says that JSON is a form; it is read all the same."""
    body = b'{\n        "model_name": "model-a",\n        "inputs": "What is GRPO?"\n      }'
    headers = {"Authorization": f"Bearer {gateway.key}"}
    reply = gateway.client.post("/inference", data=body, headers=headers, content_type=content_type)
    assert (reply.status_code, reply.json["model"]) == (200, "model-a")


@pytest.mark.parametrize(
    ("body", "status", "code", "said"),
    [
        (b"", 400, "invalid_json", "empty"),
        (b"inputs=hello", 400, "invalid_json", "not JSON"),
        (b'{"inputs": "a", "inputs": "b"}', 400, "invalid_json", "twice"),
        (b'{"question": "a"}', 400, "invalid_request", "inputs: Field required"),
        (b'{"inputs": 5}', 400, "invalid_request", "inputs: Input should be a valid string"),
        (b'{"inputs": "a", "temperature": 1}', 400, "invalid_request", "temperature"),
        (b'["a"]', 400, "invalid_request", "body"),
        (b'{"inputs": ' + b"[" * 70 + b"]" * 70 + b"}", 400, "too_deep", "64 levels"),
        (b'{"inputs": "' + b"a" * 2000 + b'"}', 413, "too_large", "2014 bytes; at most 2000"),
        (b'{"inputs": "a", "model_name": "gpt"}', 404, "model_not_found", "model-a, model-b"),
        (b'{"inputs": "a", "model_name": "judge"}', 404, "model_not_found", "model-a, model-b"),
    ],
)
def test_a_bad_request_is_told_what_was_found(gateway, body, status, code, said) -> None:
    """Each bad body is a 4xx that says what was found; it is recorded, and reaches no model."""
    reply = gateway.client.post("/inference", data=body, headers=gateway.headers)
    error = reply.json["error"]
    assert (reply.status_code, error["code"]) == (status, code)
    assert said in error["message"]
    assert set(error) == {"message", "type", "param", "code"}
    assert [(row["status"], row["error"]) for row in gateway.rows()] == [(status, code)]
    assert not gateway.simulator.counts


def test_a_refused_question_reaches_no_model(gateway) -> None:
    """A policy that blocks answers 403; the row holds the rule that fired, and no attempt."""
    reply = gateway.ask("Say XYZZY to me")
    assert (reply.status_code, reply.json["error"]["code"]) == (403, "policy_violation")
    assert "forbidden (words)" in reply.json["error"]["message"]
    (row,) = gateway.rows()
    assert (row["selection"], row["served"], row["attempts"]) == ("guardrail", None, [])
    assert [(found["policy"], found["check"]) for found in row["verdicts"]] == [
        ("forbidden", "words")
    ]
    assert row["input"] == "Say XYZZY to me"
    assert not gateway.simulator.counts


def test_a_refused_answer_is_kept_back(gateway) -> None:
    """A policy that blocks an answer answers 403; the row says which model said what."""
    gateway.simulator.faults["model-b"] = "say=the word is xyzzy"
    reply = gateway.ask("Speak", model_name="model-b")
    (row,) = gateway.rows()
    assert (row["status"], row["served"], row["selection"]) == (403, "model-b", "pinned")
    assert row["output"] == "the word is xyzzy"
    assert "xyzzy" not in reply.text
    assert reply.status_code == 403
    assert "The answer violates" in reply.json["error"]["message"]


def test_an_observed_rule_only_watches(gateway) -> None:
    """What a rule in observe mode finds is recorded and changes nothing."""
    assert gateway.ask("Say plugh to me").status_code == 200
    (row,) = gateway.rows()
    assert [(found["check"], found["mode"]) for found in row["verdicts"]] == [("seen", "observe")]


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("status=500", 500, "upstream_error"),
        ("status=503-text", 503, "upstream_cold_start"),
        ("status=429; retry-after=2", 429, "upstream_rate_limited"),
        ("html", 502, "upstream_error"),
        ("cut=mid-body", 502, "upstream_error"),
        ("hang=30", 504, "upstream_timeout"),
    ],
)
def test_a_failing_model_is_one_clear_error(start, simulator, fault, status, code) -> None:
    """Whatever breaks upstream is one error of ours, and the attempt is recorded."""
    gateway = start(INFERENCE.replace("max_body: 2000", "timeout: 500ms"), policies=POLICIES)
    simulator.faults["model-a"] = fault
    reply = gateway.ask("What is GRPO?", model_name="model-a")
    assert (reply.status_code, reply.json["error"]["code"]) == (status, code)
    (row,) = gateway.rows()
    assert [attempt["error"] for attempt in row["attempts"]] == [code]
    had_it = "model-a" if code == "upstream_timeout" else None  # and may send a bill for it
    assert (row["chosen"], row["served"], row["output"]) == ("model-a", had_it, None)


@pytest.mark.parametrize("privacy", ["none", "hashed"])
def test_privacy_keeps_texts_out_of_the_record(start, privacy) -> None:
    """Where a route says so, nobody's words are stored; all the rest is."""
    routes = INFERENCE.replace("max_body: 2000", f"privacy: {privacy}")
    gateway = start(routes, policies=POLICIES)
    gateway.ask("My secret is quince.")
    (row,) = gateway.rows()
    assert "quince" not in json.dumps(row, default=str)
    assert row["served"]
    kept = {row["input"] is None, row["request"] is None, row["output"] is None}
    assert kept == {privacy == "none"}


@pytest.mark.parametrize("body", [{"inputs": "Hi", "model_name": "z" * 1000}, {"z" * 1000: 1}])
def test_a_long_name_is_cut(gateway, body) -> None:
    """What the caller named is said and recorded in part: a body must not come back in an error."""
    reply = gateway.client.post("/inference", json=body, headers=gateway.headers)
    assert reply.status_code in {400, 404}
    assert len(reply.data) < 700
    assert len(str(gateway.rows()[0])) < 4000

"""What policies do beside refusing: another model answers, and what cannot be checked is told."""

import pytest

ROUTES = """
  - path: /inference
    function: functions.inference:handle
    auth: api-key
    routing: {models: [model-a]}
  - path: /v1/chat/completions
    function: functions.v1.chat_completions:handle
    auth: api-key
    routing: {models: [model-a]}
  - {path: /guardrail, function: "functions.guardrail:handle", auth: api-key}
"""
REROUTE = """
version: 1
name: careful
checks:
  - {name: hard, type: phrases, stages: [input], action: route, route_to: model-b, phrases: [why]}
"""
SAFETY = """
version: 1
name: careful
checks:
  - {name: safety, type: jailbreak_detect, stages: [STAGE], action: block, model: guard, MORE}
"""
#: Nobody listens there.
GUARD = """
  guard: {url: "http://127.0.0.1:9/v1", model_id: guard, candidate: false}
"""


def answered(gateway):
    """The records but for those of models that checks asked."""
    return [row for row in gateway.rows() if row["surface"] != "guard"]


def test_another_model_answers(start) -> None:
    """Whoever the caller names; the record says that a policy chose, and why."""
    gateway = start(ROUTES, policies={"careful": REROUTE})
    reply = gateway.ask("Why is the sky blue?", model_name="model-a")
    assert (reply.status_code, reply.json["model"]) == (200, "model-b")
    assert gateway.ask("What is GRPO?").json["model"] == "model-a"
    why, what = gateway.rows()
    assert (why["selection"], why["chosen"], why["served"]) == ("guardrail", "model-b", "model-b")
    assert (why["propensity"], why["verdicts"][0]["action"]) == (1.0, "route")
    assert (what["selection"], what["verdicts"]) == ("policy", [])


@pytest.mark.parametrize("fault", ["status=503", "say=yes"])
def test_no_model_beside_it_sees_the_request(start, fault) -> None:
    """Neither a shadow, nor a fallback where it fails, nor the cache."""
    more = "{models: [model-a]}\n    fallback: {models: [model-a]}\n    shadow: {model: model-a}\n"
    routes = ROUTES.replace("{models: [model-a]}\n", more + "    cache: {ttl: 1m, always: true}\n")
    gateway = start(routes, policies={"careful": REROUTE})
    gateway.simulator.faults["model-b"] = fault
    messages = [{"role": "user", "content": "Why is the sky blue?"}]
    for _ in range(2):
        reply = gateway.client.post(
            "/v1/chat/completions", json={"messages": messages}, headers=gateway.headers
        )
        assert (reply.status_code == 200) is (fault == "say=yes")
        assert "x-gateway-cache" not in reply.headers
    assert set(gateway.simulator.counts) == {"model-b"}


@pytest.mark.parametrize("stage", ["input", "output"])
def test_a_check_that_fails_refuses(start, stage) -> None:
    """503, not 403: it is no fault of the caller's; recorded and counted."""
    policy = SAFETY.replace("STAGE", stage).replace(", MORE", "")
    gateway = start(ROUTES, policies={"careful": policy}, models=GUARD)
    reply = gateway.ask("What is GRPO?")
    assert (reply.status_code, reply.json["error"]["code"]) == (503, "guardrail_unavailable")
    assert bool(gateway.simulator.counts) is (stage == "output")
    (row,) = answered(gateway)
    assert (row["status"], row["error"]) == (503, "guardrail_unavailable")
    assert [v["rule"] for v in row["verdicts"]] == ["check-failed"]
    exposed = gateway.snapshot.context.metrics.expose().decode()
    failures = 'guardrail_check_failures_total{check="safety",policy="careful"} 1.0'
    assert failures in exposed


@pytest.mark.parametrize("more", ["on_error: open", "mode: observe"])
def test_a_check_that_fails_open_lets_pass(start, more) -> None:
    """Only where the policy says so, and it is recorded."""
    policy = SAFETY.replace("STAGE", "input").replace("MORE", more)
    gateway = start(ROUTES, policies={"careful": policy}, models=GUARD)
    assert gateway.ask("What is GRPO?").status_code == 200
    assert answered(gateway)[0]["verdicts"][0]["rule"] == "check-failed"


def test_a_stream_whose_check_fails_at_its_end_is_an_error(start) -> None:
    """What a model is asked about an answer is asked once all of it is there."""
    policy = SAFETY.replace("STAGE", "output").replace(", MORE", "")
    gateway = start(ROUTES, policies={"careful": policy}, models=GUARD)
    gateway.simulator.faults["model-a"] = f"say={'one two three ' * 20}"
    body = {"messages": [{"role": "user", "content": "Go on."}], "stream": True}
    reply = gateway.client.post("/v1/chat/completions", json=body, headers=gateway.headers)
    assert reply.status_code == 200
    assert "guardrail_unavailable" in reply.text
    assert "[DONE]" not in reply.text
    (row,) = answered(gateway)
    assert (row["status"], row["error"]) == (503, "guardrail_unavailable")


def test_the_guardrail_route_asks_models_too(start) -> None:
    """A verdict that could not be had is no verdict."""
    policy = SAFETY.replace("STAGE", "input").replace(", MORE", "")
    gateway = start(ROUTES, policies={"careful": policy}, models=GUARD)
    reply = gateway.ask("What is GRPO?", path="/guardrail")
    assert (reply.json["allowed"], reply.json["verdicts"][0]["rule"]) == (False, "check-failed")


def test_verdicts_are_counted(start) -> None:
    """By policy, check, action and mode; never by what a caller says."""
    gateway = start(ROUTES, policies={"careful": REROUTE})
    gateway.ask("Why?")
    exposed = gateway.snapshot.context.metrics.expose().decode()
    labels = '{action="route",check="hard",mode="enforce",policy="careful"}'
    assert f"ai_gateway_guardrail_verdicts_total{labels} 1.0" in exposed

"""What guardrail checks ask models is recorded, counted and priced, and is nobody's answer."""

from __future__ import annotations

import pytest

from ai_gateway.contract import Event
from ai_gateway.cost.reconcile import COLUMNS, recompute
from ai_gateway.errors import UpstreamError
from ai_gateway.manifest.model import Route
from ai_gateway.records import queries
from ai_gateway.simulator import endpoints

ROUTES = """
  - path: /inference
    function: functions.inference:handle
    auth: api-key
    routing: {models: [model-a]}
  - {path: /guardrail, function: "functions.guardrail:handle", auth: api-key}
  - path: /api/v1/keys
    name: keys
    methods: [POST]
    function: functions.admin.key_issue:handle
    auth: api-key
    scopes: keys
"""
BUDGET = """
budgets:
  - {name: day, per: tenant, amount: 1, window: day, assume: 100}
"""
CAREFUL = """
version: 1
name: careful
checks:
  - {name: safety, type: llama_guard, stages: [input, output], action: block, model: guard}
"""
CLASSIFIER = """
version: 1
name: careful
checks:
  - {name: jailbreak, type: jailbreak_detect, stages: [input], action: block, model: guard}
"""


def model(url, name="llama-guard") -> str:
    """A model that guards, at a price that nobody overlooks."""
    return (
        f"  guard: {{url: {endpoints(url)[name]}, model_id: simulated/{name},"
        " credentials: {token: t}, candidate: false, price: {input: 1000, output: 1000}}\n"
    )


@pytest.fixture
def gateway(start, simulator):
    """A gateway whose questions and answers are judged by a model."""
    return start(ROUTES + BUDGET, policies={"careful": CAREFUL}, models=model(simulator.url))


def of(rows, surface):
    """The records of a surface."""
    return [row for row in rows if row["surface"] == surface]


def test_each_call_is_a_record_with_its_tokens_and_cost(gateway) -> None:
    """In the name of the request's caller, without a text; the request's own cost is its own."""
    body = {"name": "k", "tenant": "acme", "team": "search"}
    made = gateway.client.post("/api/v1/keys", json=body, headers=gateway.headers).json
    asked = {"X-API-Key": made["key"]}
    reply = gateway.client.post("/inference", json={"inputs": "Why?"}, headers=asked)
    assert reply.status_code == 200
    rows = gateway.rows()
    (answer,) = of(rows, "inference")
    guards = of(rows, "guard")
    assert len(guards) == 2
    for row in guards:
        assert (row["tenant"], row["team"], row["key_id"]) == ("acme", "search", made["id"])
        assert row["client_request_id"] == answer["request_id"] != row["request_id"]
        assert (row["served"], row["status"], row["selection"]) == ("guard", 200, "pinned")
        assert [attempt["model"] for attempt in row["attempts"]] == ["guard"]
        assert row["input_tokens"] > 0
        assert row["cost"] == pytest.approx((row["input_tokens"] + row["output_tokens"]) / 1000)
        assert row["privacy"] == "none"
        assert [row[name] for name in ("input", "request", "output")] == [None] * 3
    assert answer["cost"] < min(row["cost"] for row in guards)


def test_they_are_counted_by_model_and_reconciled(gateway) -> None:
    """In the metrics as any call is, and in the command that works costs out again."""
    gateway.ask("Why?")
    guards = of(gateway.rows(), "guard")
    exposed = gateway.snapshot.context.metrics.expose().decode()
    assert 'ai_gateway_model_attempts_total{model="guard",outcome="ok"} 2.0' in exposed
    tokens = sum(row["input_tokens"] for row in guards)
    assert f'ai_gateway_model_tokens_total{{kind="input",model="guard"}} {tokens:.1f}' in exposed
    assert 'ai_gateway_model_cost_total{model="guard"}' in exposed
    report = recompute(gateway.service.records.rows("requests", COLUMNS))
    assert report.ok
    assert report.models["guard"].rows == 2
    assert report.models["guard"].recorded == pytest.approx(sum(row["cost"] for row in guards))


def test_nobody_takes_them_for_answers(gateway) -> None:
    """Neither the judge, nor the dashboard's totals; its models have a line of their own."""
    gateway.ask("Why?")
    records = gateway.service.records
    records.flush()
    left = records.unjudged("p", 0.0, 10, gateway.service.random)
    assert (left.due, left.forbidden) == (1, 0)
    assert (queries.totals(records)["requests"], queries.totals(records)["answered"]) == (1, 1)
    lines = queries.models_summary(records).to_pylist()
    assert [(row["model"], row["guard"], row["requests"]) for row in lines] == [
        ("model-a", False, 1),
        ("guard", True, 2),
    ]


def test_no_budget_pays_for_them(gateway) -> None:
    """As for judging: they cost more than the whole budget here, and questions go on."""
    for number in range(3):
        assert gateway.ask(f"Why? {'word ' * 700}{number}").status_code == 200
    assert sum(row["cost"] for row in of(gateway.rows(), "guard")) > 1


def test_a_verdict_that_is_remembered_asks_nobody(gateway) -> None:
    """And the route that gives verdicts alone is recorded as well."""
    for _ in range(2):
        gateway.ask("Why?", path="/guardrail")
    (row,) = of(gateway.rows(), "guard")
    assert row["client_request_id"]
    assert not of(gateway.rows(), "inference")


def test_a_call_that_fails_is_recorded_with_its_error(gateway) -> None:
    """The check fails closed; what its model did stands in a row of its own."""
    gateway.simulator.faults["llama-guard"] = "status=503"
    assert gateway.ask("Why?").status_code == 503
    row = of(gateway.rows(), "guard")[0]
    assert row["status"] >= 500
    assert (row["attempts"][0]["error"], row["served"]) == (row["error"], None)
    assert row["cost"] is None


def test_what_is_no_chat_has_no_usage(gateway) -> None:
    """Whether it is a verdict is the check's to say: here it is none."""
    gateway.simulator.faults["llama-guard"] = "empty-choices"
    assert gateway.ask("Why?").status_code == 503
    (row,) = of(gateway.rows(), "guard")
    assert (row["status"], row["served"], row["usage"], row["cost"]) == (200, "guard", None, None)


def test_a_classifier_counts_no_tokens(start, simulator) -> None:
    """Its call is recorded all the same."""
    guard = model(simulator.url, "jailbreak-detect")
    gateway = start(ROUTES, policies={"careful": CLASSIFIER}, models=guard)
    assert gateway.ask("Why?").status_code == 200
    (row,) = of(gateway.rows(), "guard")
    assert (row["status"], row["input_tokens"], row["cost"]) == (200, None, None)


def test_an_answer_that_is_no_json_is_a_failure(start, simulator) -> None:
    """Sound, where a check asked in the wrong place; its row says so."""
    gateway = start(ROUTES, models=model(simulator.url, "media"))
    event = Event("r", Route(path="/"), "POST", "/", 0.0)
    ask = gateway.snapshot.context.consult(event)
    with pytest.raises(UpstreamError, match="guard answered with no JSON object"):
        ask("guard", "/audio/speech", {"input": "x", "voice": "alloy"}, 5.0)
    (row,) = of(gateway.rows(), "guard")
    assert (row["status"], row["served"], row["client_request_id"]) == (502, None, "r")

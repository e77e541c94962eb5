"""Budgets of a whole gateway: reserved at the worst, settled at what it came to.

The numbers in brackets are of complaints about other gateways.
"""

import json
import time

import pytest

from tests.gateway.limits.conftest import BUDGET, REQUESTS, chat, costs, left, ratio
from tests.gateway.tries.conftest import leaving


def test_to_count_tokens_costs_a_request_alone(begin) -> None:
    """Nobody is charged for a count."""
    gateway = begin("limits:\n  - {name: t, per: key, tokens: 3000/hour, requests: 9/min}\n")
    body = {"model": "claude", "messages": [{"role": "user", "content": "What is GRPO?"}]}
    reply = gateway.client.post("/v1/messages/count_tokens", json=body, headers=gateway.headers)
    assert reply.status_code == 200
    assert reply.headers["anthropic-ratelimit-tokens-remaining"] == "3000"
    assert reply.headers["anthropic-ratelimit-requests-remaining"] == "8"


def test_a_budget_is_never_exceeded(begin, caplog) -> None:
    """Calls pass while their worst case fits; then no SDK is to try again; the log warns once."""
    gateway = begin(BUDGET)
    codes = []
    for _ in range(12):
        reply = chat(gateway)
        codes.append(reply.status_code)
    spent = sum(costs(gateway))
    assert codes[0] == 200
    assert codes[-1] == 429
    assert 0 < spent <= 1.05
    assert reply.json["error"]["code"] == "budget_exceeded"
    assert reply.json["error"]["type"] == "insufficient_quota"
    assert reply.headers["x-should-retry"] == "false"
    assert int(reply.headers["retry-after"]) > 0
    assert ratio(gateway, "b") == pytest.approx(spent / 1.05)
    warnings = [line for line in caplog.messages if line.startswith("budget b: ")]
    assert len([line for line in warnings if "is spent" in line]) == 1
    assert "key admin" in "".join(warnings)


def test_without_a_budget_nothing_is_exceeded(begin) -> None:
    """Nobody hears of a budget that there is not (42)."""
    gateway = begin("")
    assert {chat(gateway).status_code for _ in range(5)} == {200}
    assert not [name for name in chat(gateway).headers if "ratelimit" in name[0]]


@pytest.mark.parametrize("stream", [False, True])
def test_a_refused_answer_has_cost_what_it_cost(begin, stream) -> None:
    """The model was asked, whoever sees what it said."""
    gateway = begin(BUDGET)
    chat(gateway, "Please say plugh", stream=stream)
    (cost,) = costs(gateway)
    assert ratio(gateway, "b") == pytest.approx(cost / 1.05)


def test_a_failed_call_costs_nothing(begin, simulator) -> None:
    """What was reserved is given back; the request was one."""
    gateway = begin(REQUESTS + BUDGET)
    simulator.faults["model-a"] = "status=500; times=1"
    assert chat(gateway).status_code == 500
    assert ratio(gateway, "b") == 0
    assert left(chat(gateway)) == 0


def unanswered(gateway, limited) -> None:
    """The one row has the model and its input, estimated; ``limited`` tokens and budget b too."""
    (row,) = gateway.rows()
    assert (row["served"], row["output"], row["output_tokens"]) == ("capped", None, 0)
    assert row["input_tokens"] > 900
    assert json.loads(row["usage"])["estimated"] is True
    assert row["cost"] == pytest.approx(row["input_tokens"] * 10 / 1e6)
    assert ratio(gateway, "b") == pytest.approx(row["cost"] / 1.05)
    assert limited - left(chat(gateway, "Hi", max_tokens=1), "tokens") > row["input_tokens"]


TOKENS = "limits:\n  - {name: t, per: key, tokens: 3000/hour}\n"
LONG = {"messages": [{"role": "user", "content": "lorem ipsum dolor " * 200}]}


@pytest.mark.parametrize("stream", [False, True])
def test_who_leaves_before_anything_came_pays_for_the_input(begin, simulator, stream) -> None:
    """A model that has the request has read it: limits, budgets and records say so."""
    gateway = begin(TOKENS + BUDGET)
    simulator.faults["model-a"] = f"{'chunk-delay' if stream else 'latency'}=30; times=1"
    body = {**LONG, "model": "capped", "stream": stream}
    assert leaving(gateway, simulator, "/v1/chat/completions", body) == 499
    unanswered(gateway, 3000)


def test_a_model_that_ran_out_of_time_is_paid_for_the_input(begin, simulator) -> None:
    """It read it as well, and may send a bill for it."""
    gateway = begin(TOKENS + BUDGET, more="timeout: 300ms")
    simulator.faults["model-a"] = "latency=30; times=1"
    assert chat(gateway, **LONG).status_code == 504
    unanswered(gateway, 3000)


def test_an_answer_after_a_time_out_is_all_that_counts(begin, simulator) -> None:
    """The record is of the model that answered, and so is what is settled."""
    gateway = begin(BUDGET, more="fallback: {models: cheap}")
    simulator.faults["model-a"] = "status=504; times=1"
    assert chat(gateway).status_code == 200
    (row,) = gateway.rows()
    assert (row["served"], [each["status"] for each in row["attempts"]]) == ("cheap", [504, 200])
    assert "estimated" not in row["usage"]
    assert ratio(gateway, "b") == pytest.approx(row["cost"] / 1.05)


def test_a_broken_stream_costs_what_came(begin, simulator) -> None:
    """As much as its record says, and no more is held."""
    gateway = begin(BUDGET)
    simulator.faults["model-a"] = "cut=mid-body; times=1"
    assert chat(gateway, stream=True).text
    (row,) = gateway.rows()
    assert row["error"] == "upstream_error"
    assert ratio(gateway, "b") == pytest.approx(row["cost"] / 1.05)
    assert chat(gateway, max_tokens=100).status_code == 200


def test_what_a_cache_answers_costs_nothing(begin) -> None:
    """It is a request, and takes neither tokens nor money."""
    cached = "cache: {always: true}"
    limits = "limits:\n  - {name: t, per: key, tokens: 3000/hour, requests: 9/min}\n"
    gateway = begin(limits + BUDGET, more=cached)
    chat(gateway, max_tokens=100)
    (cost,) = costs(gateway)
    hit, after = chat(gateway, max_tokens=100), chat(gateway, max_tokens=100)
    assert hit.headers["x-gateway-cache"] == "hit"
    assert left(hit, "tokens") == left(after, "tokens")
    assert left(after) == 6
    assert ratio(gateway, "b") == pytest.approx(cost / 1.05)


def test_a_shadow_is_paid_from_the_budget_alone(begin) -> None:
    """A shadow for which nothing is left is not asked, and its caller hears nothing of it."""
    gateway = begin(
        REQUESTS + "budgets:\n  - {name: b, per: key, amount: 1.05, window: day}\n",
        chosen="models: cheap",
        more="shadow: {model: capped}",
    )
    assert left(chat(gateway, model="auto")) == 1
    end = time.monotonic() + 5
    while gateway.service.aside.running and time.monotonic() < end:
        time.sleep(0.01)
    assert chat(gateway, model="auto").status_code == 200
    end = time.monotonic() + 5
    while gateway.service.aside.running and time.monotonic() < end:
        time.sleep(0.01)
    rows = [row for row in gateway.rows() if row["surface"] == "shadow"]
    assert [row["status"] for row in rows] == [200, 429]
    assert rows[1]["error"] == "budget_exceeded"


def test_a_budget_of_one_model_is_not_touched_by_others(begin) -> None:
    """Only what that model was paid counts."""
    gateway = begin(
        "budgets:\n  - {name: b, per: tenant, match: {models: capped}, amount: 2, window: day}\n"
    )
    chat(gateway, model="cheap")
    assert ratio(gateway, "b") == 0
    chat(gateway)
    assert ratio(gateway, "b") == pytest.approx(costs(gateway)[1] / 2)


def test_a_restarted_process_counts_what_was_spent(begin, tmp_path) -> None:
    """A budget is not new because the process is; a team of nobody's is one of its own (41)."""
    budgets = """
budgets:
  - {name: b, per: key, amount: 1.05, window: month}
  - {name: r, per: [route, team], match: {routes: chat}, amount: 5, window: day}
  - {name: other, per: model, match: {models: cheap, tenants: elsewhere}, amount: 5, window: day}
"""
    gateway = begin(budgets)
    while chat(gateway).status_code == 200:
        pass
    spent = sum(costs(gateway))
    gateway.service.close()
    (tmp_path / "bundle").rename(tmp_path / "old")
    again = begin(budgets)
    assert chat(again).json["error"]["code"] == "budget_exceeded"
    assert chat(again, max_tokens=1).status_code == 200
    assert sum(costs(again)) > spent
    assert ratio(again, "b") == pytest.approx(sum(costs(again)) / 1.05)
    assert ratio(again, "r") == pytest.approx(sum(costs(again)) / 5)
    assert ratio(again, "other") == 0

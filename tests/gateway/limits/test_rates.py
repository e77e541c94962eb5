"""Limits of a whole gateway: what passes, what is refused, and what its caller reads.

The numbers in brackets are of complaints about other gateways.
"""

import re

import pytest

from ai_gateway.records import to_rows
from tests.gateway.limits.conftest import BUDGET, REQUESTS, chat, costs, left, ratio


def messages(gateway, **more):
    """The same by Anthropic's API, of a model that speaks it."""
    content = [{"role": "user", "content": "What is GRPO?"}]
    body = {"model": "claude", "messages": content, "max_tokens": 100, **more}
    return gateway.client.post("/v1/messages", json=body, headers=gateway.headers)


def test_a_limit_of_requests(begin) -> None:
    """So many pass; headers count down; the next is told when to come again, and counted."""
    gateway = begin(REQUESTS)
    replies = [chat(gateway) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert [left(reply) for reply in replies] == [1, 0, 0]
    assert replies[0].headers["x-ratelimit-limit-requests"] == "2"
    assert re.fullmatch(r"1m0s|59s", replies[0].headers["x-ratelimit-reset-requests"])
    assert replies[2].json["error"]["code"] == "rate_limit_exceeded"
    assert 50 <= int(replies[2].headers["retry-after"]) <= 60
    assert "x-should-retry" not in replies[2].headers
    labels = {"limit": "key"}
    registry = gateway.service.metrics.registry
    assert registry.get_sample_value("ai_gateway_limit_refusals_total", labels) == 1
    assert [row["error"] for row in gateway.rows()] == [None, None, "rate_limit_exceeded"]


def test_a_wait_that_no_sdk_sleeps_through_is_not_tried_again(begin) -> None:
    """Beyond a minute the SDKs come again after seconds, unless they are told not to."""
    gateway = begin("limits:\n  - {per: key, requests: 1/hour}\n")
    chat(gateway)
    assert chat(gateway).headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    "body", [b"{", b"{}", b'{"messages": [], "model": "capped"}', b'{"messages": [{}]}']
)
def test_what_never_comes_to_a_model_is_counted(begin, body) -> None:
    """A bad body is a request too; beyond the limit it is a 429 like any other."""
    gateway = begin(REQUESTS)
    replies = [
        gateway.client.post("/v1/chat/completions", data=body, headers=gateway.headers)
        for _ in range(3)
    ]
    assert [reply.status_code for reply in replies] == [400, 400, 429]
    assert left(replies[0]) == 1


def test_a_function_without_a_model_takes_requests_alone(begin) -> None:
    """Of tokens and money it takes nothing; who has no key is not counted."""
    gateway = begin(REQUESTS + "budgets:\n  - {name: b, per: key, amount: 1, window: day}\n")
    asked = [gateway.ask("What is GRPO?", "/guardrail") for _ in range(3)]
    assert [reply.status_code for reply in asked] == [200, 200, 429]
    refused = gateway.client.post("/guardrail", json={"inputs": "a"})
    assert refused.status_code == 401
    assert "x-ratelimit-limit-requests" not in refused.headers


def test_probes_are_not_limited_unless_named(begin) -> None:
    """Whoever asks whether the gateway is there is answered; a limit that names the route holds."""
    everybody = "limits:\n  - {per: route, requests: 1/min}\n"
    gateway = begin(everybody)
    assert [gateway.client.get("/ping").status_code for _ in range(3)] == [200] * 3


def test_a_limit_that_names_a_probe_holds(begin) -> None:
    """What an operator says of a route is done."""
    gateway = begin("limits:\n  - {per: route, match: {routes: ping}, requests: 1/min}\n")
    assert [gateway.client.get("/ping").status_code for _ in range(2)] == [200, 429]


def test_a_named_routes_limit_is_taken_with_the_called_ones(begin) -> None:
    """Both hold; neither is taken where the other refuses."""
    gateway = begin("limits:\n  - {per: [key, route], requests: 3/min}\n")
    replies = [chat(gateway, model="thrifty") for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert left(chat(gateway)) == 0
    assert chat(gateway, path="/thrifty").status_code == 429


TOKENS = "limits:\n  - {name: t, per: key, tokens: 3000/hour}\n"


@pytest.mark.parametrize("stream", [False, True])
def test_tokens_are_reserved_at_their_worst_and_settled(begin, stream) -> None:
    """A call holds its input and all that its answer may have, then what it used (38, 46)."""
    gateway = begin(TOKENS)
    first = chat(gateway, stream=stream)
    assert first.text
    held = 3000 - left(first, "tokens")
    assert 1000 < held < 1020
    (row,) = gateway.rows()
    used = row["input_tokens"] + row["output_tokens"]
    second = chat(gateway, stream=stream, max_tokens=500)
    assert second.text
    assert left(second, "tokens") == 3000 - used - (held - 500)


def test_a_call_that_never_fits_is_told_so(begin) -> None:
    """It asks for more than a whole window has: to try again is no use."""
    gateway = begin(TOKENS)
    reply = chat(gateway, n=3)
    assert (reply.status_code, reply.headers["x-should-retry"]) == (429, "false")
    assert "3000" in reply.json["error"]["message"]


def test_several_answers_are_reserved(begin) -> None:
    """Each of them may be as long as one."""
    gateway = begin("limits:\n  - {name: t, per: key, tokens: 100000/hour}\n")
    assert 5000 < 100_000 - left(chat(gateway, n=5), "tokens") < 5020


def test_an_anthropic_stream_counts_its_input_too(begin) -> None:
    """Its usage comes in two parts, and each counts once (45, 46); names are Anthropic's."""
    gateway = begin("limits:\n  - {name: t, per: key, tokens: 3000/hour, requests: 9/min}\n")
    first = messages(gateway, stream=True)
    assert first.text
    (row,) = gateway.rows()
    assert row["input_tokens"] > 0
    second = messages(gateway)
    name = "anthropic-ratelimit-tokens-remaining"
    held = 3000 - int(first.headers[name])
    used = row["input_tokens"] + row["output_tokens"]
    assert int(second.headers[name]) == 3000 - used - held
    assert second.headers["anthropic-ratelimit-requests-limit"] == "9"
    assert second.headers["anthropic-ratelimit-requests-remaining"] == "7"
    moment = second.headers["anthropic-ratelimit-requests-reset"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment)


def test_a_refused_text_counts_as_a_request_alone(begin) -> None:
    """What a guardrail refuses has used nothing of a model."""
    gateway = begin(REQUESTS + BUDGET)
    assert chat(gateway, "say xyzzy").status_code == 403
    assert left(chat(gateway)) == 0
    assert len(costs(gateway)) == 1
    assert ratio(gateway, "b") == pytest.approx(costs(gateway)[0] / 1.05)


def test_a_caller_who_leaves_a_stream_pays_for_what_came(begin) -> None:
    """Who has begun to read and goes has had that; the rest is given back."""
    gateway = begin(BUDGET)
    reply = chat(gateway, stream=True)
    reply.close()
    (row,) = gateway.rows()
    assert row["status"] == 499
    assert ratio(gateway, "b") == pytest.approx(row["cost"] / 1.05)
    assert chat(gateway, max_tokens=100).status_code == 200


def test_an_embedding_for_a_cache_is_paid_and_no_request(begin) -> None:
    """Its cost is its caller's; his limit of requests and tokens is not touched by it."""
    semantic = "cache: {always: true, semantic: {model: embedder}}"
    limits = "limits:\n  - {name: t, per: key, tokens: 3000/hour, requests: 9/min}\n"
    gateway = begin(limits + BUDGET, more=semantic)
    reply = chat(gateway)
    assert left(reply) == 8
    rows = gateway.rows()
    assert sorted(row["surface"] for row in rows) == ["cache", "chat"]
    assert ratio(gateway, "b") == pytest.approx(sum(row["cost"] for row in rows) / 1.05)


def test_a_fallback_never_exceeds_what_was_reserved(begin, simulator) -> None:
    """The dearest model that may answer is reserved from the start (44)."""
    gateway = begin(
        "budgets:\n  - {name: b, per: key, amount: 0.5, window: day}\n",
        more="fallback: {models: capped}",
    )
    assert chat(gateway, model="cheap").json["error"]["code"] == "budget_exceeded"
    simulator.faults["model-b"] = "status=500"
    codes, served = [], set()
    while not codes or codes[-1] == 200:
        reply = chat(gateway, model="cheap", max_tokens=100)
        codes.append(reply.status_code)
        served.add(reply.headers.get("x-gateway-model"))
    assert served == {"capped", None}
    assert len(codes) > 2
    assert 0 < sum(costs(gateway)) <= 0.5
    assert ratio(gateway, "b") == pytest.approx(sum(costs(gateway)) / 0.5)


def test_a_limit_of_a_model_counts_whom_it_asked(begin) -> None:
    """Of two models that might answer the one that did is counted; the other is given back."""
    limit = "limits:\n  - {name: m, per: [key, model], requests: 100/min}\n"
    gateway = begin(limit, chosen="models: [capped, cheap], explore: 1")
    served = [chat(gateway, model="auto").headers["x-gateway-model"] for _ in range(20)]
    for model in ("capped", "cheap"):
        assert left(chat(gateway, model=model)) == 99 - served.count(model)


def test_concurrent_calls_cannot_overshoot(begin, simulator) -> None:
    """Each holds its worst case before the model is asked, not after (39, 40)."""
    gateway = begin("budgets:\n  - {name: b, per: key, amount: 2.1, window: day}\n")
    streams = [chat(gateway, stream=True, buffered=False) for _ in range(6)]
    codes = [reply.status_code for reply in streams]
    assert codes == [200, 200, 429, 429, 429, 429]
    assert all(reply.text for reply in streams)
    assert sum(costs(gateway)) <= 2.1


def test_records_name_the_team(begin) -> None:
    """So that what a team spent can be counted again; nobody's is null."""
    gateway = begin("")
    chat(gateway)
    assert gateway.rows()[0]["team"] is None
    assert to_rows(gateway.service.records.scan("requests", ["team"])) == [{"team": None}]

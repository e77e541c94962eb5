"""Limits and budgets of a whole gateway: what passes, what is refused, and what its caller reads.

The numbers in brackets are of complaints about other gateways.
"""

import re
import time

import pytest

from ai_gateway.records import to_rows

ROUTES = """
  - path: /v1/chat/completions
    name: chat
    function: functions.v1.chat_completions:handle
    auth: [api-key]
    routing: {{{chosen}}}
    {more}
  - path: /v1/messages
    name: messages
    function: functions.v1.messages:handle
    auth: [api-key]
    errors: anthropic
    routing: {{models: claude}}
  - path: /v1/messages/count_tokens
    name: count
    function: functions.v1.messages_count_tokens:handle
    auth: [api-key]
    errors: anthropic
    routing: {{models: claude}}
  - path: /guardrail
    name: guardrail
    function: functions.guardrail:handle
    auth: [api-key]
  - path: /thrifty
    name: thrifty
    function: functions.v1.chat_completions:handle
    auth: [api-key]
    routing: {{models: cheap}}
    rateLimit: 2/hour
  - {{path: /ping, methods: [GET], function: "functions.ping:handle", auth: none}}
"""
PLACE = """
    url: ${MODEL_A_URL}
    model_id: ${MODEL_A_ID}
    credentials: {token: "${MODEL_A_TOKEN}"}
    max_output_tokens: 1000
"""
MODELS = f"""
  capped:{PLACE}    price: {{input: 10.0, output: 1000.0}}
  cheap:{PLACE.replace("_A_", "_B_")}    price: {{input: 1.0, output: 2.0}}
  claude:
    url: ${{ANTHROPIC_URL}}
    model_id: claude-simulated
    dialect: anthropic
    credentials: {{token: anything}}
    max_output_tokens: 1000
    price: {{input: 10.0, output: 1000.0}}
  embedder:
    url: ${{EMBEDDER_URL}}
    model_id: simulated/embedder
    credentials: {{token: anything}}
    price: {{input: 0.1, output: 0}}
    max_output_tokens: 1
    candidate: false
"""
POLICIES = {
    "words": """
version: 1
name: words
checks:
  - {name: words, type: phrases, stages: [input], action: block, phrases: [xyzzy]}
  - {name: said, type: phrases, stages: [output], action: block, phrases: [plugh]}
"""
}


@pytest.fixture
def begin(start, simulator):
    """Starts a gateway with these limits; ``more`` is of the chat's route."""

    def run(limits, more="", chosen="models: [capped, cheap]", **changed):
        base = f"{simulator.url}/namespaces/serving-default/endpoints/embedder/v1"
        urls = {"EMBEDDER_URL": base, "ANTHROPIC_URL": f"{simulator.url}/anthropic/v1"}
        text = ROUTES.format(more=more, chosen=chosen) + limits
        return start(text, models=MODELS, policies=POLICIES, **urls, **changed)

    return run


def chat(gateway, text="What is GRPO?", path="/v1/chat/completions", model="capped", **more):
    """A question, to the model whose answers are dear unless another is named."""
    body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    return gateway.client.post(path, json=body, headers=gateway.headers)


def messages(gateway, **more):
    """The same by Anthropic's API, of a model that speaks it."""
    content = [{"role": "user", "content": "What is GRPO?"}]
    body = {"model": "claude", "messages": content, "max_tokens": 100, **more}
    return gateway.client.post("/v1/messages", json=body, headers=gateway.headers)


def left(reply, unit="requests") -> int:
    """What the caller is told is left."""
    return int(reply.headers[f"x-ratelimit-remaining-{unit}"])


def ratio(gateway, budget):
    """The spent share of a budget, as Prometheus hears of it."""
    registry = gateway.service.metrics.registry
    return registry.get_sample_value("ai_gateway_budget_used_ratio", {"budget": budget})


def costs(gateway) -> list[float]:
    """What every recorded answer cost."""
    return [row["cost"] for row in gateway.rows() if row["cost"]]


REQUESTS = "limits:\n  - {per: key, requests: 2/min}\n"


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


def test_to_count_tokens_costs_a_request_alone(begin) -> None:
    """Nobody is charged for a count."""
    gateway = begin("limits:\n  - {name: t, per: key, tokens: 3000/hour, requests: 9/min}\n")
    body = {"model": "claude", "messages": [{"role": "user", "content": "What is GRPO?"}]}
    reply = gateway.client.post("/v1/messages/count_tokens", json=body, headers=gateway.headers)
    assert reply.status_code == 200
    assert reply.headers["anthropic-ratelimit-tokens-remaining"] == "3000"
    assert reply.headers["anthropic-ratelimit-requests-remaining"] == "8"


BUDGET = "budgets:\n  - {name: b, per: key, amount: 1.05, window: month, soft: 0.05}\n"


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


def test_a_refused_text_counts_as_a_request_alone(begin) -> None:
    """What a guardrail refuses has used nothing of a model."""
    gateway = begin(REQUESTS + BUDGET)
    assert chat(gateway, "say xyzzy").status_code == 403
    assert left(chat(gateway)) == 0
    assert len(costs(gateway)) == 1
    assert ratio(gateway, "b") == pytest.approx(costs(gateway)[0] / 1.05)


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


def test_a_broken_stream_costs_what_came(begin, simulator) -> None:
    """As much as its record says, and no more is held."""
    gateway = begin(BUDGET)
    simulator.faults["model-a"] = "cut=mid-body; times=1"
    assert chat(gateway, stream=True).text
    (row,) = gateway.rows()
    assert row["error"] == "upstream_error"
    assert ratio(gateway, "b") == pytest.approx(row["cost"] / 1.05)
    assert chat(gateway, max_tokens=100).status_code == 200


def test_a_caller_who_leaves_a_stream_pays_for_what_came(begin) -> None:
    """Who has begun to read and goes has had that; the rest is given back."""
    gateway = begin(BUDGET)
    reply = chat(gateway, stream=True)
    reply.close()
    (row,) = gateway.rows()
    assert row["status"] == 499
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

"""A key reaches the routes and models that it was given, and learns of no other."""

from __future__ import annotations

from typing import Any

from ai_gateway.simulator import endpoints
from tests.gateway.keys.conftest import ADMIN, KEYS, ROUTES, ask, code, issue, key

REROUTE = """
version: 1
name: careful
checks:
  - {name: hard, type: phrases, stages: [input], action: route, route_to: model-b, phrases: [why]}
"""


#: One chat, to be answered from whatever model is chosen.
CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "What is GRPO?"}]}


def test_a_route_outside_the_key_is_refused_before_its_function(gateway) -> None:
    """The row says whose key it was; an open route is open, and cannot be named as a model."""
    made = issue(gateway, routes=["inference"]).json
    headers = {"X-API-Key": made["key"]}
    assert ask(gateway, headers).status_code == 200
    reply = gateway.client.post("/v1/chat/completions", data="no JSON", headers=headers)
    assert code(reply) == (403, "forbidden")
    assert gateway.client.get("/ping", headers=headers).status_code == 200
    assert code(ask(gateway, headers, model_name="v1-chat-completions")) == (403, "forbidden")
    refused = gateway.rows()[-2]
    assert (refused["status"], refused["key_id"]) == (403, made["id"])
    assert gateway.simulator.counts.total() == 1


def test_a_model_outside_the_key_is_unknown_where_it_is_named(gateway) -> None:
    """A 404 that is recorded; nobody is asked."""
    headers = key(gateway, models=["model-a"])
    assert ask(gateway, headers, model_name="model-a").json["model"] == "model-a"
    assert code(ask(gateway, headers, model_name="model-b")) == (404, "model_not_found")
    assert set(gateway.simulator.counts) == {"model-a"}
    assert [row["status"] for row in gateway.rows() if row["route"] == "inference"] == [200, 404]


def test_a_model_outside_the_key_is_no_candidate(gateway) -> None:
    """Routing leaves it out and the record says why; with none left it is a 403."""
    headers = key(gateway, models=["model-a"])
    for _ in range(20):
        assert ask(gateway, headers).json["model"] == "model-a"
    for row in gateway.rows():
        if row["route"] == "inference":
            told = {
                each["model"]: (each["probability"], each["excluded"]) for each in row["candidates"]
            }
            assert told == {"model-a": (1.0, None), "model-b": (0.0, "the caller may not ask it")}
            assert row["propensity"] == 1.0
    nothing = key(gateway, models=[])
    assert code(ask(gateway, nothing)) == (403, "forbidden")
    assert set(gateway.simulator.counts) == {"model-a"}


def test_a_model_outside_the_key_stands_in_for_none(start) -> None:
    """As a fallback it is passed over, and the record says so; the failure is the caller's."""
    fallback = "    fallback: {models: [model-b]}\n"
    gateway = start(ROUTES.replace("explore: 1}\n", "explore: 1}\n" + fallback) + KEYS)
    headers = key(gateway, models=["model-a"])
    gateway.simulator.faults["model-a"] = "status=500"
    for path, more in (("/inference", {}), ("/v1/chat/completions", CHAT | {"stream": True})):
        reply = gateway.client.post(path, json=more or {"inputs": "a"}, headers=headers)
        assert reply.status_code == 500
    assert set(gateway.simulator.counts) == {"model-a"}
    row = next(row for row in gateway.rows() if row["route"] == "inference")
    assert [(each["model"], each["error"]) for each in row["attempts"]] == [
        ("model-a", "upstream_error"),
        ("model-b", "forbidden"),
    ]
    assert ask(gateway, ADMIN).json["model"] == "model-b"


def test_a_canary_and_a_shadow_outside_the_key_are_not_asked(start) -> None:
    """The one is excluded with its reason, the other left out."""
    more = "canary: {model: model-b, share: 0.9}\n    shadow: {model: model-b, share: 1}\n"
    routing = "routing: {models: [model-a, model-b], explore: 1}\n"
    gateway = start(ROUTES.replace(routing, f"routing: {{models: model-a}}\n    {more}") + KEYS)
    headers = key(gateway, models=["model-a"])
    for _ in range(5):
        assert ask(gateway, headers).json["model"] == "model-a"
    gateway.service.aside.close()
    assert set(gateway.simulator.counts) == {"model-a"}
    row = gateway.rows()[-1]
    assert [(each["model"], each["excluded"]) for each in row["candidates"]] == [
        ("model-a", None),
        ("model-b", "the caller may not ask it"),
    ]


def test_a_policy_sends_nobody_where_he_may_not_go(start) -> None:
    """What is to go to that model alone goes to none."""
    routes = ROUTES.replace("    guardrails: []\n", "")
    gateway = start(routes + KEYS, policies={"careful": REROUTE})
    headers = key(gateway, models=["model-a"])
    reply = gateway.client.post("/inference", json={"inputs": "Why?"}, headers=headers)
    assert code(reply) == (403, "forbidden")
    assert not gateway.simulator.counts
    assert ask(gateway, key(gateway, models=["model-b"]), inputs="Why?").json["model"] == "model-b"


def test_models_are_listed_that_the_key_may_ask(gateway) -> None:
    """And routes that it may call; what is not listed is not found either."""
    headers = key(gateway, models=["model-b"], routes=["v1-models", "v1-models-name"])
    found = gateway.client.get("/v1/models", headers=headers).json["data"]
    assert [entry["id"] for entry in found] == ["auto", "model-b"]
    assert gateway.client.get("/v1/models/model-b", headers=headers).status_code == 200
    assert code(gateway.client.get("/v1/models/model-a", headers=headers)) == (
        404,
        "model_not_found",
    )


SCORES = """
  - {path: /weights, methods: [GET], function: "functions.weights:handle", auth: api-key}
  - {path: /api/v1/weights, methods: [GET], function: "functions.weights:handle", auth: api-key}
"""


def test_no_list_names_a_model_that_the_key_may_not_ask(start) -> None:
    """PEERS 10, 15: neither scores, nor models, nor what an error says that there is."""
    gateway = start(ROUTES + SCORES + KEYS)
    headers = key(gateway, models=["model-a"], scopes=["keys"])
    replies = [
        gateway.client.get(path, headers=headers)
        for path in ("/weights", "/api/v1/weights", "/v1/models", "/api/v1/keys")
    ]
    assert [reply.status_code for reply in replies] == [200] * 4
    assert [sorted(reply.json["models"]) for reply in replies[:2]] == [["model-a"]] * 2
    assert all("model-b" not in reply.text for reply in replies)
    free = gateway.client.get("/weights", headers=key(gateway)).json["models"]
    assert sorted(free) == ["model-a", "model-b"]
    told = ask(gateway, headers, model_name="made-up")
    assert code(told) == (404, "model_not_found")
    assert "model-b" not in told.text
    assert "model-b" in ask(gateway, key(gateway), model_name="made-up").text


def test_a_key_cannot_find_out_what_there_is_beside_its_own(gateway) -> None:
    """What there is and what there is not is refused in the same words, in a child too."""
    headers = key(gateway, models=["model-a"], routes=["inference", "keys-issue"], scopes=["keys"])
    told = [
        ask(gateway, headers, model_name=name).json["error"]["message"].replace(name, "NAME")
        for name in ("model-b", "made-up")
    ]
    assert told[0] == told[1]
    for what, there in (("models", "model-b"), ("routes", "limited")):
        replies = [
            gateway.client.post("/api/v1/keys", json={"name": "k", what: [each]}, headers=headers)
            for each in (there, "made-up")
        ]
        assert [reply.status_code for reply in replies] == [403, 403]
        assert replies[0].json["error"] == replies[1].json["error"]


def test_counts_of_all_models_are_not_for_a_key_of_some(gateway) -> None:
    """Unless it was given the scope for it, as for the counts of the admin API."""
    keys = (
        key(gateway),
        key(gateway, models=["model-a"], scopes=["metrics"]),
        key(gateway, models=["model-a"]),
    )
    statuses = [gateway.client.get("/metrics", headers=each).status_code for each in keys]
    assert statuses == [200, 200, 403]


def test_a_model_that_a_route_lacks_names_none_but_the_keys_own(gateway) -> None:
    """The judge is no candidate of a route, also where a key may ask it."""
    headers = key(gateway, models=["model-a", "judge"])
    told = ask(gateway, headers, model_name="judge")
    assert code(told) == (404, "model_not_found")
    assert "there is model-a." in told.json["error"]["message"]


def test_tensors_are_taken_by_the_models_of_the_key(start, simulator) -> None:
    """Whether a model is ready is said of those alone."""
    route = (
        '  - {path: "/v2/models/{name}/ready", methods: [GET],'
        ' function: "functions.v2.model_ready:handle", errors: oip, auth: api-key}\n'
    )
    url = endpoints(simulator.url)["classifier"]
    model = f"  iris: {{url: {url}, model_id: classifier, dialect: oip}}\n"
    gateway = start(ROUTES + KEYS + route, models=model)
    may, may_not = key(gateway, models=["iris"]), key(gateway, models=["model-a"])
    replies = [gateway.client.get("/v2/models/iris/ready", headers=each) for each in (may, may_not)]
    assert [reply.status_code for reply in replies] == [200, 404]


def test_a_cached_answer_is_for_its_tenant_and_its_models(start) -> None:
    """Neither another tenant's nor that of a model which the key may not ask is given again."""
    cached = "explore: 1}\n    cache: {ttl: 1m, always: true}\n"
    gateway = start(ROUTES.replace("explore: 1}\n", cached) + KEYS)

    def hit(headers):
        reply = gateway.client.post("/v1/chat/completions", json=CHAT, headers=headers)
        return reply.headers["x-gateway-cache"]

    one, same = key(gateway, tenant="acme"), key(gateway, tenant="acme")
    assert [hit(one), hit(same)] == ["miss", "hit"]
    assert hit(key(gateway, tenant="rival")) == "miss"
    few = key(gateway, tenant="acme", models=["model-a"])
    assert [hit(few), hit(few)] == ["miss", "hit"]


def test_a_question_is_embedded_whatever_the_key_may_ask(start, simulator) -> None:
    """The route compares meanings by a model of its own; its user need not be let to it."""
    cache = "cache: {ttl: 1m, always: true, semantic: {model: embedder, threshold: 0.5}}"
    routes = ROUTES.replace("explore: 1}\n", f"explore: 1}}\n    {cache}\n")
    url = endpoints(simulator.url)["embedder"]
    model = f"  embedder: {{url: {url}, model_id: simulated/embedder, credentials: {{token: t}}}}\n"
    gateway = start(routes + KEYS, models=model)
    headers = key(gateway, models=["model-a"])
    assert ask(gateway, headers).status_code == 200
    (row,) = (row for row in gateway.rows() if row["surface"] == "cache")
    assert (row["status"], row["served"]) == (200, "embedder")


def test_each_key_has_its_own_limit(gateway) -> None:
    """What one caller used up is another's still."""
    one, other = key(gateway), key(gateway)
    statuses = [gateway.client.get("/limited", headers=one).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert gateway.client.get("/limited", headers=other).status_code == 200

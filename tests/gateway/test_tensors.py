"""The Open Inference Protocol: its route, its models, its errors."""

import pytest

ROUTES = """
  - {path: /v2, methods: [GET], function: "functions.v2.server:handle", errors: oip, auth: api-key}
  - path: /v2/models/{name}/ready
    methods: [GET]
    function: functions.v2.model_ready:handle
    errors: oip
    auth: api-key
  - path: /v2/models/{name}/infer
    function: functions.v2.infer:handle
    errors: oip
    auth: api-key
    guardrails: [forbidden]
  - path: /v1/chat/completions
    function: functions.v1.chat_completions:handle
    auth: api-key
    guardrails: []
"""
POLICIES = {
    "forbidden": """
version: 1
name: forbidden
checks:
  - {name: words, type: phrases, stages: [input], action: block, phrases: [xyzzy]}
  - {name: answers, type: phrases, stages: [output], action: block, phrases: [plugh]}
"""
}


@pytest.fixture
def gateway(start, simulator):
    """One model of tensors between two of text."""
    url = simulator.url + "/namespaces/serving-default/endpoints/classifier/v2"
    fields = f"url: {url}, model_id: classifier, dialect: oip, credentials: {{token: t}}"
    return start(ROUTES, policies=POLICIES, models=f"  iris: {{{fields}}}\n")


def tensor(*values, datatype="FP32", **more):
    """A tensor of one row."""
    shape = [1, len(values)]
    return {"name": "input", "datatype": datatype, "shape": shape, "data": list(values), **more}


def infer(gateway, *inputs, model="iris", headers=None, **body):
    """Tensors for a model."""
    return gateway.client.post(
        f"/v2/models/{model}/infer",
        json={"inputs": list(inputs), **body},
        headers={**gateway.headers, **(headers or {})},
    )


def test_tensors_go_and_come(gateway) -> None:
    """The answer is the model's, under the gateway's name of it; the row says who answered."""
    reply = infer(gateway, tensor(1.5, 2), id="7", parameters={"mode": "fast"})
    assert reply.status_code == 200
    assert (reply.json["id"], reply.json["model_name"]) == ("7", "iris")
    assert [output["name"] for output in reply.json["outputs"]] == ["label", "probabilities"]
    assert "model" not in reply.json
    (row,) = gateway.rows()
    assert (row["surface"], row["served"], row["selection"]) == ("infer", "iris", "pinned")
    assert (row["input"], row["output"]) == ("fast", "")


@pytest.mark.parametrize("word", ["xyzzy", "plugh"])
def test_texts_are_guarded_both_ways(gateway, word) -> None:
    """Strings in tensors are read before they go and before they come back."""
    assert infer(gateway, tensor("hello", datatype="BYTES")).status_code == 200
    reply = infer(gateway, tensor(f"say {word}", datatype="BYTES"))
    assert reply.status_code == 403
    assert list(reply.json) == ["error"]
    assert "forbidden" in reply.json["error"]


def test_parameters_are_guarded(gateway) -> None:
    """A text beside the tensors is read as well."""
    for more in ({"parameters": {"prompt": "xyzzy"}}, {"outputs": []}):
        found = tensor(1, parameters={"hint": "xyzzy"} if "outputs" in more else {})
        assert infer(gateway, found, **more).status_code == 403
    assert not gateway.simulator.counts


def test_auto_chooses_among_those_that_take_tensors(gateway) -> None:
    """The others are excluded, and the row says why; the one that is left is certain."""
    reply = infer(gateway, tensor(1), model="auto")
    assert reply.headers["x-gateway-decision"] == "policy; propensity=1"
    (row,) = gateway.rows()
    entries = row["candidates"]
    found = {entry["model"]: (entry["probability"], entry["excluded"]) for entry in entries}
    refused = (0.0, "This model speaks openai and does not take infer requests.")
    assert found == {"iris": (1.0, None), "model-a": refused, "model-b": refused}


def test_a_chat_is_no_business_of_theirs(gateway) -> None:
    """A chat with a model of tensors is a clear 400, and auto never picks it."""
    body = {"messages": [{"role": "user", "content": "What is GRPO?"}]}
    post = gateway.client.post
    reply = post("/v1/chat/completions", json={**body, "model": "iris"}, headers=gateway.headers)
    assert (reply.status_code, reply.json["error"]["param"]) == (400, "model")
    assert "speaks oip" in reply.json["error"]["message"]
    for _ in range(20):
        reply = post("/v1/chat/completions", json=body, headers=gateway.headers)
        assert reply.json["model"] in ("model-a", "model-b")


@pytest.mark.parametrize(
    ("body", "headers", "status", "said"),
    [
        ({"inputs": "a"}, {}, 400, "inputs: a list was expected"),
        ({"inputs": [{"data": "a"}]}, {}, 400, "inputs.0.data"),
        ({"inputs": [], "Inputs": []}, {}, 400, "in other letters"),
        ({"inputs": [{"data": [1], "Data": ["a"]}]}, {}, 400, "in other letters"),
        ({"inputs": []}, {"Inference-Header-Content-Length": "9"}, 400, "binary_data=False"),
        ({"inputs": [], "parameters": {"binary_data_output": True}}, {}, 400, "binary"),
        (
            {"inputs": [], "outputs": [{"name": "a", "parameters": {"binary_data": True}}]},
            {},
            400,
            "binary",
        ),
        ({"inputs": [tensor(1)], "parameters": [], "outputs": [1]}, {}, 400, ""),
    ],
)
def test_what_is_no_request_is_refused(gateway, body, headers, status, said) -> None:
    """The caller learns what is wrong, in the protocol's own shape."""
    reply = gateway.client.post(
        "/v2/models/iris/infer", json=body, headers={**gateway.headers, **headers}
    )
    assert (reply.status_code, list(reply.json)) == (status, ["error"])
    assert said in reply.json["error"]


def test_models_that_are_none(gateway) -> None:
    """An unknown model is 404; one that speaks something else is 400."""
    assert infer(gateway, tensor(1), model="nobody").status_code == 404
    assert infer(gateway, tensor(1), model="model-a").status_code == 400
    get = gateway.client.get
    ready = get("/v2/models/iris/ready", headers=gateway.headers)
    assert (ready.status_code, ready.json) == (200, {"name": "iris", "ready": True})
    for name in ("nobody", "model-a"):
        reply = get(f"/v2/models/{name}/ready", headers=gateway.headers)
        assert (reply.status_code, list(reply.json)) == (404, ["error"])
    assert not gateway.simulator.counts


def test_the_server_says_what_it_is(gateway, start) -> None:
    """Health is open to all, the rest to callers."""
    found = gateway.client.get("/v2", headers=gateway.headers).json
    assert (found["name"], found["extensions"]) == ("ai-gateway", [])
    client = start().client
    assert client.get("/v2/health/live").json == {"live": True}
    assert client.get("/v2/health/ready").json == {"ready": True}

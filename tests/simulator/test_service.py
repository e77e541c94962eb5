"""The layout of the Inference Service: paths, token, models, health, and what is remembered."""

import httpx
import pytest

from ai_gateway.simulator import Simulator, variables
from tests.simulator.conftest import Client

BASE = "/namespaces/serving-default/endpoints"


def test_variables_name_every_model() -> None:
    """The variables of all three models point at the simulator, one of them in vLLM's shape."""
    found = variables("http://127.0.0.1:9000")
    names = {f"{model}_{key}" for model in ("MODEL_A", "MODEL_B", "JUDGE_MODEL") for key in
             ("ID", "URL", "TOKEN")}  # fmt: skip
    assert set(found) == names
    assert found["MODEL_A_URL"] == f"http://127.0.0.1:9000{BASE}/model-a/v1"
    assert found["MODEL_B_URL"] == f"http://127.0.0.1:9000{BASE}/model-b/openai/v1"
    assert found["JUDGE_MODEL_URL"] == f"http://127.0.0.1:9000{BASE}/judge/v1"


@pytest.mark.parametrize(
    ("authorization", "says"),
    [
        (None, "Jwt is missing"),
        ("Bearer", "Jwt is missing"),
        ("Basic abc", "Jwt is missing"),
        ("Bearer expired-1", "Jwt is expired"),
    ],
)
def test_token_is_needed(shared: Client, authorization: str | None, says: str) -> None:
    """Without a good bearer token the ingress answers 401 in plain text."""
    headers = {"authorization": authorization} if authorization else {}
    reply = httpx.get(f"{shared.path()}/models", headers=headers, trust_env=False)
    assert (reply.status_code, reply.text) == (401, says)
    assert reply.headers["content-type"].startswith("text/plain")
    assert reply.headers["x-gateway-simulated"] == "true"


@pytest.mark.parametrize("model", ["model-a", "model-b", "judge"])
def test_models_lists_the_one_model(shared: Client, model: str) -> None:
    """An endpoint lists its one model, by the id that chat completions take."""
    listed = shared.http.get(f"{shared.path(model)}/models").json()
    assert listed["object"] == "list"
    assert [entry["id"] for entry in listed["data"]] == [f"simulated/{model}"]


def test_health(shared: Client) -> None:
    """The readiness path answers 200."""
    reply = shared.http.get(f"{shared.path()}/health/ready")
    assert (reply.status_code, reply.json()["object"]) == (200, "health.response")


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/", 404, "no such endpoint"),
        ("GET", f"{BASE}/model-z/v1/models", 404, "no such endpoint"),
        ("GET", f"{BASE}/model-a/openai/v1/models", 404, "no such endpoint"),
        ("GET", f"{BASE}/model-a/v1/nothing", 404, '{"detail":"Not Found"}'),
        ("GET", f"{BASE}/model-a/v1/chat/completions", 405, '{"detail":"Method Not Allowed"}'),
        ("PUT", f"{BASE}/model-a/v1/models", 501, "Unsupported method ('PUT')"),
    ],
)
def test_unknown_paths_and_methods(
    shared: Client, method: str, path: str, status: int, text: str
) -> None:
    """What is not there is refused as the ingress or the model server would."""
    root = shared.path().partition(BASE)[0]
    reply = shared.http.request(method, root + path)
    assert (reply.status_code, reply.text) == (status, text)
    assert reply.headers["x-gateway-simulated"] == "true"


def test_unknown_model_under_nim_is_flat(shared: Client) -> None:
    """NIM's 404 for a wrong model id has its fields at the top."""
    reply = shared.post({**shared.body("Hi"), "model": "other"})
    assert reply.status_code == 404
    assert reply.json() == {
        "object": "error",
        "message": "The model `other` does not exist.",
        "type": "NotFoundError",
        "param": None,
        "code": 404,
    }


def test_unknown_model_under_vllm_is_nested(shared: Client) -> None:
    """A 404 of vLLM for a wrong model id is an error object."""
    reply = shared.post({**shared.body("Hi"), "model": "other"}, "model-b")
    assert reply.json()["error"]["code"] == 404


def test_vllm_endpoint_answers_under_both_bases(shared: Client) -> None:
    """model-b answers the same under /openai/v1 and /v1."""
    plain = shared.path("model-b").replace("/openai/v1", "/v1")
    body = shared.body("What is a hash table?", "model-b")
    replies = [
        shared.http.post(f"{base}/chat/completions", json=body).content
        for base in (plain, shared.path("model-b"))
    ]
    assert replies[0] == replies[1]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"text"', b"\xff"])
def test_body_must_be_an_object(shared: Client, content: bytes) -> None:
    """A body that is no JSON object is a 400 in vLLM's nested shape."""
    reply = shared.http.post(f"{shared.path()}/chat/completions", content=content)
    assert reply.status_code == 400
    assert reply.json()["error"] == {
        "message": "The body is no JSON object.",
        "type": "BadRequestError",
        "param": None,
        "code": 400,
    }


def test_requests_are_remembered_without_secrets_in_repr(
    simulator: Simulator, client: Client
) -> None:
    """Tests can see what an endpoint was asked; the token stands in the headers, not in repr."""
    client.ask("What is DNA?")
    client.ask("What is DNA?", "model-b")
    client.post({"model": "other"}, "model-b")
    client.http.get(f"{client.path()}/models")
    assert simulator.counts == {"model-a": 2, "model-b": 2}
    assert [seen.status for seen in simulator.requests] == [200, 200, 404, 200]
    first = simulator.requests[0]
    assert first.body == client.body("What is DNA?")
    assert first.headers["authorization"] == "Bearer simulated"
    assert "Bearer" not in repr(first)


def test_stop_twice_is_harmless_and_frees_the_port() -> None:
    """A stopped simulator refuses connections, and its port can be taken again."""
    simulator = Simulator().start()
    url = simulator.url
    port = int(url.rpartition(":")[2])
    simulator.stop()
    simulator.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)
    with Simulator(port=port).start() as again:
        assert again.url == url


def test_a_simulator_that_never_served_can_be_stopped() -> None:
    """Stop does not wait for a server that was never started."""
    Simulator().stop()

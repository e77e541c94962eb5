"""Where the gateway connects to: only where the operator said, whoever asks for what."""

import json

import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.upstream import Upstreams
from runner import application
from tests.gateway.test_every_surface import POLICIES as NO_POLICY
from tests.gateway.test_every_surface import ROUTES, SURFACES
from tests.security.conftest import follow

#: What other gateways took an address from.
KEYS = (
    *("api_base", "base_url", "api_url", "apiBase", "custom_host", "endpoint", "target", "proxy"),
    *("api_key", "api_version", "organization", "provider", "custom_llm_provider", "deployment_id"),
    *("callback", "callback_url", "webhook", "webhook_url", "image_url", "file_url", "url"),
)
REFUSED = ("api_base", "base_url", "custom_host", "api_key")
HEADERS = (
    *("X-Portkey-Custom-Host", "X-API-Base", "OpenAI-Base-URL", "X-Base-URL", "X-Target-URL"),
    *("X-Forwarded-Host", "X-Original-URL", "X-Rewrite-URL", "Forwarded", "Referer", "Origin"),
    *("Helicone-Target-URL", "X-Custom-Host", "X-Envoy-Original-Path", "Destination", "Proxy"),
)
#: Addresses within the host or its cloud, in every form that some resolver takes for one.
INSIDE = (
    *("127.0.0.1", "127.1", "0177.0.0.1", "0x7f000001", "2130706433", "localhost", "[::1]"),
    *("0.0.0.0", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "10.0.0.1", "192.168.0.1"),
    *("169.254.169.254", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "169.254.43518"),
    *("[fe80::1]", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]"),
    *("169.254.169.254.", "ai-service.", "ai-service@127.0.0.1", "127.0.0.1#ai-service"),
    *("127.0.0.1\\@ai-service", "ai-service%2e", "\u24db\u24deca\u24db", "127.0.0.1%00.ai-service"),
    *("metadata.google.internal", "ai-service.evil.example", "127\u30020.0.1", "[::1%25lo]"),
)


@pytest.fixture
def gateway(start, simulator):
    """Every surface, each before a model of the stand-in."""
    base = f"{simulator.url}/namespaces/serving-default/endpoints"
    models = "".join(
        f"  {name}: {{url: {url}, model_id: {model_id}, dialect: {dialect}, "
        "credentials: {token: of-the-gateway-canary}}\n"
        for name, url, model_id, dialect in (
            ("claude", f"{simulator.url}/anthropic/v1", "claude-simulated", "anthropic"),
            ("embedder", f"{base}/embedder/v1", "simulated/embedder", "openai"),
            ("ranker", f"{base}/ranker/v1", "simulated/ranker", "openai"),
            ("media", f"{base}/media/v1", "simulated/media", "openai"),
            ("iris", f"{base}/classifier/v2", "classifier", "oip"),
        )
    )
    return start(ROUTES, policies=NO_POLICY, models=models)


def test_01_no_caller_says_where_a_model_is(gateway, trap) -> None:
    """No key, header or model name of a request makes the gateway connect to what stands in it."""
    gateway.headers |= dict.fromkeys(HEADERS, trap.url)
    for surface in SURFACES:
        for key in KEYS:
            body = surface.whole(**{key: trap.url})
            status = surface.post(gateway, body).status_code
            assert status == 400 if key in REFUSED else status in (200, 400), (surface.path, key)
        if "{name}" in surface.path:
            continue
        for model in (trap.url, f"{trap.url}/gpt-4", f"openai/{trap.url}", f"model-a@{trap.host}"):
            reply = surface.post(gateway, {**surface.whole(), "model": model})
            assert reply.status_code == 404, (surface.path, model)
    parts = [{"type": "image_url", "image_url": {"url": f"http://{trap.host}/a.png"}}]
    chat = {"model": "model-a", "messages": [{"role": "user", "content": parts}]}
    gateway.client.post("/v1/chat/completions", json=chat, headers=gateway.headers)
    assert trap.seen == []
    for seen in gateway.simulator.requests:
        assert trap.host not in str(seen.headers)


def _through(gateway, looks):
    """Who calls with the administrator's key, while names lead where ``looks`` say in turn."""
    service = gateway.service
    service.upstreams.close()
    service.upstreams = Upstreams(SystemClock(), {}, resolve=lambda _host, _port: next(looks))
    client = application(service.snapshot(gateway.snapshot.bundle)).test_client()
    client.environ_base["HTTP_X_API_KEY"] = gateway.key
    return client


def test_02_no_target_leads_inside_by_any_spelling(start, trap, other, simulator) -> None:
    """A target that was not allowed is refused as it is written, resolved and redirected to."""
    admin = (
        '  - {path: /api/v1/routes, methods: [GET, POST], function: "functions.admin.routes:handle"'
        ", auth: api-key}\n"
        f"  - {{path: /there, target: 'http://ai-service:{trap.port}', auth: api-key}}\n"
        "allowed_hosts: [ai-service]\n"
    )
    gateway = start(admin)
    follow(gateway)
    for number, host in enumerate(INSIDE):
        body = {"path": f"/r{number}", "target": f"http://{host}:{other.port}/"}
        reply = gateway.client.post("/api/v1/routes", json=body, headers=gateway.headers)
        assert reply.status_code == 400, host
    hidden = {"as it is": ["169.254.169.254"], "mapped": ["::ffff:a9fe:1"]}
    for name, addresses in hidden.items():
        looks = iter([addresses])
        assert _through(gateway, looks).post("/there", json={}).status_code == 502, name
    looks = iter([["127.0.0.1"], ["169.254.169.254"]])
    assert _through(gateway, looks).post("/there", json={}).status_code == 200
    assert len(list(looks)) == 1, "a name is looked up once, so that it cannot change"
    assert len(trap.seen) == 1
    for status in (301, 302, 303, 307, 308):
        trap.answer = (
            f"HTTP/1.1 {status} Moved\r\nLocation: http://{other.host}/\r\n"
            "Content-Length: 0\r\nConnection: close\r\n\r\n"
        ).encode()
        looks = iter([["127.0.0.1"]])
        assert _through(gateway, looks).post("/there", json={}).status_code in (status, 502)
    assert len(trap.seen) == 6
    assert other.seen == []


def test_11_a_variable_is_read_in_the_operators_file_alone(everything, trap) -> None:
    """`${NAME}` in what comes through an API is refused, or stays those letters for ever."""
    gateway = everything()
    secret = gateway.service.settings.variables["MODEL_A_TOKEN"]
    names = ("${MODEL_A_TOKEN}", "$MODEL_A_TOKEN", "%MODEL_A_TOKEN%", "{MODEL_A_TOKEN}")
    folder = gateway.service.settings.bundle
    before = (folder / "routes.yaml").read_bytes()
    headers = {**gateway.headers, "If-Match": "*"}
    said = []
    for name in names:
        asked = [
            ("POST", "/api/v1/routes", {"path": "/x", "target": f"http://{trap.host}/{name}"}),
            ("POST", "/api/v1/routes", {"path": "/x", "target": f"http://{name}"}),
            ("PUT", "/api/v1/security/predict", {"authType": name}),
            ("PUT", "/api/v1/policies/new", {"yaml": f"version: 1\nname: new\nchecks: [{name}]\n"}),
            ("POST", "/v1/chat/completions", {"model": name, "messages": []}),
        ]
        for method, path, body in asked:
            reply = gateway.client.open(path, method=method, json=body, headers=headers)
            if name.startswith("${"):
                assert 400 <= reply.status_code < 500, (path, name)
                assert (folder / "routes.yaml").read_bytes() == before
            said.append(reply.text)
        chat = {"model": "model-a", "messages": [{"role": "user", "content": name}]}
        gateway.client.post("/v1/chat/completions", json=chat, headers=gateway.headers)
        assert gateway.simulator.requests[-1].body["messages"][0]["content"] == name
        issued = gateway.client.post("/api/v1/keys", json={"name": name}, headers=headers)
        assert issued.json["name"] == name
        said.append(issued.text)
    assert secret not in json.dumps(said)
    assert not any(secret.encode() in seen for seen in trap.seen)

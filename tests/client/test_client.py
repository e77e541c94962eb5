"""The SDK: what it sends, what it makes of replies, when it tries again, and what it never says."""

import asyncio
import subprocess
import sys
import traceback

import httpx
import pytest

from ai_gateway import AI_Gateway, AsyncAI_Gateway, client
from ai_gateway.client.retrying import Retrying
from tests.client.conftest import KEY, URL, refusal
from tests.conftest import ROOT
from tests.test_walls import banned

ROUTE = {"name": "predict", "path": "/predict", "target": "http://a", "methods": ["POST"]}
LISTED = {"id": "1", "name": "n", "prefix": "agw_1", "status": "active"}
ETAG = '"sha256:1"'


def reply(body, status=200, **headers) -> httpx.Response:
    """As the gateway answers."""
    return httpx.Response(status, json=body, headers={"etag": ETAG, **headers})


def test_nothing_of_a_gateway_is_imported() -> None:
    """Who calls one waits for httpx alone; who hosts one does not import the client."""
    heavy = ("flask", "pyarrow", "pydantic", "numpy", "re2", "prometheus_client", "yaml", "jwt")
    code = (
        "import sys, ai_gateway; print('httpx' in sys.modules); from ai_gateway import AI_Gateway;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n[]\n"


def test_the_package_is_typed_and_has_no_other_name() -> None:
    """What is not there is an AttributeError, as of every module."""
    assert (ROOT / "ai_gateway" / "py.typed").exists()
    assert client.AI_Gateway is AI_Gateway
    with pytest.raises(ImportError, match="AI_Gatewey"):
        from ai_gateway import AI_Gatewey  # noqa: F401, PLC0415 - it is not there


def test_each_call_sends_what_the_admin_api_takes(scripted) -> None:
    """Method, path and body of all of them, in both clients."""
    route, key = reply(ROUTE, 201), reply({**LISTED, "key": "agw_1_x"}, 201)
    gateway, script = scripted(
        route,
        reply({"routes": [ROUTE]}),
        reply(ROUTE),
        reply(ROUTE),
        httpx.Response(204, headers={"etag": ETAG}),
        reply({"endpoint": "/v1/x", "routes": [{"name": "predict"}]}),
        reply({"endpoint": "/x", "routes": []}),
        reply({"metrics": [{"type": "latency"}]}),
        reply({"models": {"m": {}}}),
        reply({"status": "ok"}),
        reply({"level": "info"}),
        reply({"level": "debug"}),
        reply({"data": [{"request_id": "r"}], "cursor": "c1", "has_more": True}),
        reply({"data": [], "cursor": "c2", "has_more": False}),
        reply({"request": {"request_id": "r"}, "scores": [], "feedback": []}),
        reply({"output": "o", "model": "m", "request_id": "r"}, **{"x-gateway-decision": "policy"}),
        reply({"output": "o", "model": "m", "request_id": "r"}),
        reply({"data": [LISTED], "has_more": True}),
        reply({"data": [{**LISTED, "id": "2"}], "has_more": False}),
        key,
        reply(LISTED),
        reply({**LISTED, "key": "agw_2_x"}, 201),
        reply({**LISTED, "key": "agw_2_x"}, 201),
    )
    made = gateway.create_route(path="/predict", target="http://a", methods="POST", timeout="5s")
    assert (made.name, made.methods, made.auth, made.version) == ("predict", ("POST",), (), ETAG)
    assert [found.path for found in gateway.routes()] == ["/predict"]
    assert gateway.route("a b").target == "http://a"
    put = gateway.replace_route("a b", path="/predict", target="http://a", timeout="5s")
    assert (put.name, put.version) == ("predict", ETAG)
    assert gateway.delete_route("predict", version=ETAG) == ETAG
    assert gateway.secure("v1/x", "jwt", 100).routes == ({"name": "predict"},)
    assert gateway.secure("/x", rate_limit=None).version == ETAG
    assert gateway.metrics(type="latency", endpoint="/chat") == [{"type": "latency"}]
    assert gateway.models() == {"m": {}}
    assert gateway.ready() == {"status": "ok"}
    assert gateway.log_level() == {"level": "info"}
    assert gateway.log_level("debug") == {"level": "debug"}
    page = gateway.requests(route="a b", status=500, outcome="failed", since=1.5, limit=2)
    assert page == client.Requests(({"request_id": "r"},), "c1", more=True)
    assert gateway.requests(model="m", until=2, cursor=page.cursor).rows == ()
    assert gateway.explain("../r")["request"] == {"request_id": "r"}
    assert gateway.ask("q") == client.Answer("o", "m", "r", "policy")
    assert gateway.ask("q", model="m").decision is None
    assert [found.id for found in gateway.keys.list(owner="o")] == ["1", "2"]
    assert gateway.keys.create("n", scopes=["keys"]).text == "agw_1_x"
    assert gateway.keys.revoke("1").text is None
    assert gateway.keys.rotate("1").text == "agw_2_x"
    assert gateway.keys.rotate("1", overlap=0).text == "agw_2_x"
    gateway.close()
    assert script.bodies() == [
        (
            "POST",
            "/api/v1/routes",
            {"path": "/predict", "target": "http://a", "methods": ["POST"], "timeout": "5s"},
        ),
        ("GET", "/api/v1/routes", b""),
        ("GET", "/api/v1/routes/a%20b", b""),
        (
            "PUT",
            "/api/v1/routes/a%20b",
            {"path": "/predict", "target": "http://a", "methods": ["POST"], "timeout": "5s"},
        ),
        ("DELETE", "/api/v1/routes/predict", b""),
        ("PUT", "/api/v1/security/%2Fv1%2Fx", {"authType": "jwt", "rateLimit": 100}),
        ("PUT", "/api/v1/security/%2Fx", {"rateLimit": None}),
        ("GET", "/api/v1/metrics?type=latency&endpoint=%2Fchat", b""),
        ("GET", "/api/v1/models", b""),
        ("GET", "/readyz", b""),
        ("GET", "/api/v1/log-level", b""),
        ("PUT", "/api/v1/log-level", {"level": "debug"}),
        ("GET", "/api/v1/requests?route=a+b&status=500&outcome=failed&since=1.5&limit=2", b""),
        ("GET", "/api/v1/requests?model=m&until=2&cursor=c1", b""),
        ("GET", "/api/v1/requests/..%2Fr", b""),
        ("POST", "/inference", {"inputs": "q"}),
        ("POST", "/inference", {"inputs": "q", "model_name": "m"}),
        ("GET", "/api/v1/keys?limit=1000&owner=o", b""),
        ("GET", "/api/v1/keys?limit=1000&after=1&owner=o", b""),
        ("POST", "/api/v1/keys", {"name": "n", "scopes": ["keys"]}),
        ("DELETE", "/api/v1/keys/1", b""),
        ("POST", "/api/v1/keys/1/rotate", {}),
        ("POST", "/api/v1/keys/1/rotate", {"overlap": 0}),
    ]
    assert {sent.headers["authorization"] for sent in script.sent} == {f"Bearer {KEY}"}
    changes = [sent for sent in script.sent if sent.method != "GET"]
    assert {sent.headers["content-type"] for sent in changes} == {"application/json"}


def test_a_change_can_be_bound_to_a_version(scripted) -> None:
    """It goes as If-Match; what is taken away is whatever is there unless a version is named."""
    gateway, script = scripted(
        httpx.Response(204),
        reply(ROUTE, 201),
        reply({"endpoint": "/x", "routes": []}),
        reply(ROUTE),
        reply(ROUTE),
    )
    gateway.delete_route("predict")
    gateway.createRoute("/predict", "http://a", version=ETAG)
    gateway.secure("/x", auth="jwt", version=ETAG)
    gateway.replace_route("predict", "/predict", "http://a")
    gateway.replace_route("predict", "/predict", "http://a", version=ETAG)
    assert [sent.headers["if-match"] for sent in script.sent] == ["*", ETAG, ETAG, "*", ETAG]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, client.BadRequest),
        (401, client.Unauthenticated),
        (403, client.Forbidden),
        (404, client.NotFound),
        (409, client.Conflict),
        (412, client.PreconditionFailed),
        (418, client.GatewayError),
        (302, client.GatewayError),
    ],
)
def test_a_refusal_is_an_error_of_its_own_and_never_tried_again(scripted, status, kind) -> None:
    """With the gateway's status, code, message and request id."""
    gateway, script = scripted(refusal(status))
    with pytest.raises(client.GatewayError) as caught:
        gateway.routes()
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.message) == (status, "code", "No.")
    assert (error.request_id, len(script.sent)) == ("r-1", 1)


@pytest.mark.parametrize(
    "first",
    [
        refusal(429),
        refusal(500),
        refusal(503),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
    ],
)
def test_what_may_pass_is_tried_again(scripted, first) -> None:
    """After a wait that doubles and is drawn, here always at the middle."""
    gateway, script = scripted(first, first, reply({"routes": []}))
    assert gateway.routes() == []
    assert script.waits == [0.25, 0.5]


def test_tries_end(scripted) -> None:
    """After four more the last outcome is the caller's, by its own class."""
    gateway, script = scripted(*[refusal(429)] * 5)
    with pytest.raises(client.RateLimited):
        gateway.routes()
    assert script.waits == [0.25, 0.5, 1.0, 2.0]
    gateway, script = scripted(refusal(500), retrying=Retrying(retries=0))
    with pytest.raises(client.ServerError):
        gateway.routes()


@pytest.mark.parametrize(
    ("headers", "waits"),
    [
        ({"retry_after": "7"}, [7.25]),
        (
            {
                "retry_after": "Sat, 28 Nov 2026 03:00:09 GMT",
                "date": "Sat, 28 Nov 2026 03:00:00 GMT",
            },
            [9.25],
        ),
        ({"retry_after": "Sat, 28 Nov 2026 03:00:09 GMT"}, [0.25]),
        ({"retry_after": "soon"}, [0.25]),
    ],
)
def test_retry_after_is_waited_for(scripted, headers, waits) -> None:
    """A number or a date, and a little more, so that not all come back at once."""
    gateway, script = scripted(refusal(429, **headers), reply({"routes": []}))
    gateway.routes()
    assert script.waits == waits


@pytest.mark.parametrize("headers", [{"retry_after": "61"}, {"x_should_retry": "false"}])
def test_what_lasts_longer_is_the_callers_at_once(scripted, headers) -> None:
    """A budget that is spent, and a wait beyond a minute."""
    gateway, script = scripted(refusal(429, **headers))
    with pytest.raises(client.RateLimited):
        gateway.routes()
    assert script.waits == []


def test_what_must_not_happen_twice_is_not_repeated(scripted) -> None:
    """Once it may have been done; before, it is."""
    gateway, script = scripted(
        httpx.ConnectError("refused"), refusal(503), httpx.ReadTimeout("slow")
    )
    with pytest.raises(client.Unreachable, match="gave no answer") as caught:
        gateway.keys.create("n")
    assert caught.value.status is None
    assert len(script.sent) == 3
    gateway, script = scripted(refusal(500))
    with pytest.raises(client.ServerError):
        gateway.create_route("/x", "http://a")
    assert len(script.sent) == 1


@pytest.mark.parametrize(
    "outcome",
    [
        refusal(400, message=f"You said {KEY}."),
        httpx.Response(502, text=f"<html>{KEY}</html>"),
        httpx.Response(502, json=[1]),
        httpx.Response(200, text=f"{KEY}"),
        httpx.Response(200, json=[KEY]),
        httpx.ConnectError(f"with {KEY}"),
    ],
)
def test_the_key_is_in_no_error(scripted, outcome) -> None:
    """Whatever the other side or a library says; the trace does not show it either."""
    gateway, _ = scripted(outcome, retrying=Retrying(retries=0))
    with pytest.raises(client.GatewayError) as caught:
        gateway.models()
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_the_key_is_in_no_repr() -> None:
    """Neither a client's, nor a new key's."""
    gateway = AI_Gateway(KEY, url=f"{URL}/")
    assert repr(gateway) == f"AI_Gateway(url='{URL}')"
    made = client.Key.of({**LISTED, "key": "agw_1_secret"})
    assert "agw_1_secret" not in repr(made)
    assert "agw_1_secret" not in str(made.entry)
    gateway.close()


@pytest.mark.parametrize("key", ["", "two words", "line\nend", "schlüssel", None])
def test_what_cannot_be_a_key_is_refused(key) -> None:
    """Before anything is sent, and without showing it."""
    with pytest.raises(ValueError, match=r"^API key required: printable ASCII without a space$"):
        AI_Gateway(api_key=key)


def test_a_cluster_is_a_name_for_a_url(tmp_path) -> None:
    """Of a small file of the user's; without one it is this machine."""
    file = tmp_path / "clusters.yaml"
    gateway = AI_Gateway(api_key=KEY, clusters_file=file).connect(cluster="aimlops")
    assert gateway.url == "http://127.0.0.1:8080"
    file.write_text("aimlops: {url: https://gateway.example/}\n")
    assert gateway.connect(cluster="aimlops") is gateway
    assert gateway.url == "https://gateway.example"
    assert gateway.connect(url=URL).url == URL
    with pytest.raises(ValueError, match="no cluster 'other'; there is aimlops"):
        gateway.connect("other")
    with pytest.raises(ValueError, match="either a cluster or a url"):
        gateway.connect("aimlops", url=URL)
    gateway.close()


@pytest.mark.parametrize("text", ["[1]", "a: b", "a: {}", "a: {url: 1}", "a: ["])
def test_a_file_that_names_no_clusters_is_told(tmp_path, text) -> None:
    """By its name."""
    file = tmp_path / "clusters.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"clusters\.yaml"):
        AI_Gateway(KEY, clusters_file=file).connect("a")


def test_a_folder_is_no_file_of_clusters(tmp_path) -> None:
    """It is told as well."""
    with pytest.raises(ValueError, match="cannot be read"):
        AI_Gateway(KEY, clusters_file=tmp_path).connect("a")


@pytest.mark.parametrize(
    "url", ["", "gateway:8080", "ftp://x", "http://", "http://u:p@x", "http://x?a=b", 7]
)
def test_what_is_no_url_is_refused(url) -> None:
    """One with a user in it, too."""
    with pytest.raises(ValueError, match="a gateway's URL is"):
        AI_Gateway(KEY).connect(url=url)


def test_clients_are_context_managers() -> None:
    """And close their connections at the end."""
    with AI_Gateway(KEY, url=URL) as gateway:
        assert gateway.url == URL
    assert gateway._client.is_closed

    async def run() -> AsyncAI_Gateway:
        async with AsyncAI_Gateway(KEY).connect(url=URL) as gateway:
            return gateway

    assert asyncio.run(run())._client.is_closed


def test_a_whole_gateway_understands_it(start) -> None:
    """In one process: routes, keys, questions and refusals."""
    running = start()
    transport = httpx.WSGITransport(running.client.application)
    with AI_Gateway(running.key, transport=transport) as gateway:
        assert gateway.ready()["status"] == "ok"
        assert gateway.ask("What is GRPO?", model="model-a").model == "model-a"
        found = {route.name: route for route in gateway.routes()}
        assert found["inference"].auth == ("api-key", "platform")
        assert gateway.route("inference") == found["inference"]
        assert gateway.metrics(type="requests", endpoint="/inference")[0]["value"] == 1
        key = gateway.keys.create("n", routes=["inference"])
        with AI_Gateway(key.text, transport=transport) as other:
            assert other.ask("What is GRPO?").output
            with pytest.raises(client.Forbidden):
                other.routes()
        assert gateway.keys.revoke(key.id).status == "revoked"
        assert [each.id for each in gateway.keys.list()] == [key.id]
        with pytest.raises(client.BadRequest, match="allowed_hosts"):
            gateway.create_route("/x", "http://elsewhere")
        with pytest.raises(client.PreconditionFailed):
            gateway.delete_route("ping", version='"old"')


@pytest.mark.parametrize("line", ["import flask", "import pyarrow", "import pydantic"])
def test_the_linter_keeps_the_client_light(line) -> None:
    """What a gateway is made of is refused in its folder; httpx is what it is for."""
    assert banned("ai_gateway/client", line)
    assert not banned("ai_gateway/client", "import httpx")
    assert banned("ai_gateway/cli", "import httpx")

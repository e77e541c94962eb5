"""What holds for every route, whatever function answers it."""

import pytest

from ai_gateway.contract import Reply
from ai_gateway.errors import RateLimited
from runner import application

PING = '  - {path: /ping, methods: [GET], function: "functions.ping:handle", auth: none'


def test_the_small_functions_answer(start) -> None:
    """Everything that is served is a route: /, /ping, health, metrics and the models' scores."""
    gateway = start()
    get = gateway.client.get
    assert get("/ping").json == {"ok": True}
    assert get("/").json["service"] == "ai-gateway"
    assert get("/healthz").json == {"status": "ok"}
    assert get("/readyz").json["bundle"] == "current"
    assert get("/readyz").json["models"] == "ok"
    weights = get("/weights", headers=gateway.headers).json
    assert weights["models"]["model-a"] == {"score": 1.0, "low": 0.0, "high": 1.0, "samples": 0}
    assert set(weights["models"]) == {"model-a", "model-b"}
    metrics = get("/metrics", headers=gateway.headers)
    assert 'ai_gateway_requests_total{route="ping",status="200"} 1.0' in metrics.text
    assert metrics.headers["content-type"].startswith("text/plain")


def test_every_route_denies_who_comes_without_a_key(start) -> None:
    """Nothing but the open routes of the default bundle answers without a credential."""
    gateway = start()
    for route in gateway.snapshot.bundle.manifest.routes:
        path = route.path.replace("{file}", "explorer.js")
        reply = gateway.client.open(path, method=route.methods[0])
        assert reply.status_code == (200 if route.auth == ("none",) else 401), route.path
    open_routes = [r.path for r in gateway.snapshot.bundle.manifest.routes if "none" in r.auth]
    assert open_routes == [
        *("/", "/ping", "/healthz", "/readyz", "/docs", "/docs/{file}"),
        *("/v2/health/live", "/v2/health/ready"),
    ]


def test_a_wrong_key_is_refused_and_recorded(start) -> None:
    """A refusal is one row, without the key and without the body."""
    gateway = start()
    reply = gateway.client.post(
        "/inference", json={"inputs": "psst"}, headers={"X-API-Key": "wrong-key-canary"}
    )
    assert (reply.status_code, reply.json["error"]["code"]) == (401, "invalid_api_key")
    assert reply.headers["www-authenticate"].startswith("Bearer")
    (row,) = gateway.rows()
    assert (row["status"], row["error"], row["key_id"]) == (401, "invalid_api_key", "anonymous")
    assert "canary" not in str(row) + reply.text
    assert "psst" not in str(row)


def test_a_limit_refuses_and_says_when_to_come_again(start) -> None:
    """The request past the limit is a 429 with retry-after; it is recorded, and so is none else."""
    gateway = start(PING + ", rateLimit: 2/hour}\n")
    replies = [gateway.client.get("/ping") for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert 0 < int(replies[2].headers["retry-after"]) <= 3600
    assert replies[2].json["error"]["code"] == RateLimited.code
    assert [row["status"] for row in gateway.rows()] == [429]


def test_a_route_without_auth_is_denied(start) -> None:
    """A route that declares no auth answers nobody but the administrator."""
    gateway = start('  - {path: /ping, methods: [GET], function: "functions.ping:handle"}\n')
    assert gateway.client.get("/ping").status_code == 403
    assert gateway.client.get("/ping", headers=gateway.headers).status_code == 200


MESSAGES = (
    '  - {path: "/ping", methods: [POST], name: a, function: "functions.ping:handle",'
    " auth: none, errors: oip}\n"
)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("POST", "/ping", 405, "method_not_allowed"),
        ("OPTIONS", "/ping", 405, "method_not_allowed"),
    ],
)
def test_what_is_no_route_is_told_in_the_same_shape(start, method, path, status, code) -> None:
    """An unknown path and a wrong method are errors of the one shape, with a request id."""
    reply = start().client.open(path, method=method)
    assert (reply.status_code, reply.json["error"]["code"]) == (status, code)
    assert len(reply.headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    ("method", "path", "shape"),
    [
        ("GET", "/v1/messages", "anthropic"),
        ("POST", "/v1/messages/batches", "anthropic"),
        ("POST", "/v1/messages/batches/a/cancel", "anthropic"),
        ("POST", "/v1/files", "openai"),
        ("POST", "/v2/models/a/versions/1/infer", "oip"),
        ("POST", "/v2/models/a/infer", "oip"),
        ("POST", "/v1/messagesbatches", "openai"),
        ("POST", "nowhere", "openai"),
    ],
)
def test_what_is_no_route_is_told_as_the_api_does(start, method, path, shape) -> None:
    """An SDK reads its own API's errors on every path below a route's, and finds their id."""
    gateway = start(
        MESSAGES.replace("/ping", "/v1/messages").replace("errors: oip", "errors: anthropic")
        + MESSAGES.replace("/ping", "/v2/models/{name}/infer").replace("name: a", "name: b")
    )
    assert gateway.snapshot.shape(path) == shape
    reply = gateway.client.open(path, method=method)
    if reply.status_code != 200:
        error = reply.json["error"]
        assert ("type" in reply.json, isinstance(error, str)) == (
            shape == "anthropic",
            shape == "oip",
        )
        assert ("request-id" in reply.headers) == (shape == "anthropic")


def test_a_base_url_that_ends_in_a_slash_works(start) -> None:
    """Who joins https://host/ and /ping gets an answer, not a redirect."""
    assert start().client.get("//ping").status_code == 200


@pytest.mark.parametrize("path", ["/ping", "/ping/", "/pong", "/pong/"])
def test_a_slash_at_the_end_is_no_redirect(start, path) -> None:
    """A redirect would lead out of the gateway's own shape, and lose a body."""
    gateway = start(PING + "}\n" + PING.replace("/ping", "/pong/") + "}\n")
    assert gateway.client.get(path).status_code == 200


def test_an_unknown_failure_says_nothing_but_where_to_look(start, caplog) -> None:
    """A bug is a 500 that names the request id alone; the log has the trace."""
    gateway = start(PING + "}\n")

    def broken(_event, _context) -> Reply:
        raise ZeroDivisionError("secret-canary")

    gateway.snapshot.bundle.handlers["ping"] = broken
    reply = application(gateway.snapshot).test_client().get("/ping")
    assert reply.status_code == 500
    assert reply.headers["x-request-id"] in reply.json["error"]["message"]
    assert "canary" not in reply.text
    assert "canary" in caplog.text
    assert [row["error"] for row in gateway.rows()] == ["internal_error"]


def test_a_stream_of_chunks_is_passed_on(start) -> None:
    """A reply may be bytes or chunks, with a status and headers of its own."""
    gateway = start(PING + "}\n")
    gateway.snapshot.bundle.handlers["ping"] = lambda *_: Reply(
        iter([b"a", b"b"]), status=201, headers={"content-type": "text/plain"}
    )
    reply = application(gateway.snapshot).test_client().get("/ping")
    assert (reply.status_code, reply.data, reply.headers["content-type"]) == (
        201,
        b"ab",
        "text/plain",
    )


def test_a_body_is_bounded_by_its_path_before_it_is_read(start) -> None:
    """A route that takes large bodies opens no other to them; a path with parameters may be it."""
    more = PING.replace("path: /ping", "path: /large") + ", max_body: 30000000}\n"
    both = PING.replace("methods: [GET]", "methods: [POST], name: b") + ", max_body: 20}\n"
    snapshot = start(PING + ", max_body: 10}\n" + more + both).snapshot
    bodies = {path: snapshot.max_body(path) for path in ("/ping", "/large", "/v2/models/a/infer")}
    assert bodies == {"/ping": 20, "/large": 30_000_000, "/v2/models/a/infer": 30_000_000}

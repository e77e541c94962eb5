"""Policies, models and figures by the admin API, and who may."""

import ast
import json

import pytest

from ai_gateway.contract import Caller
from tests.conftest import ROOT
from tests.gateway.admin.conftest import POLICY


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/v1/routes", None),
        ("POST", "/api/v1/routes", {"path": "/x", "target": "http://ai-service"}),
        ("GET", "/api/v1/routes/ping", None),
        ("DELETE", "/api/v1/routes/ping", None),
        ("PUT", "/api/v1/routes/ping", {"path": "/x", "target": "http://ai-service"}),
        ("PUT", "/api/v1/security/ping", {"rateLimit": 1}),
        ("GET", "/api/v1/metrics", None),
        ("GET", "/api/v1/models", None),
        ("GET", "/api/v1/policies", None),
        ("GET", "/api/v1/policies/words", None),
        ("PUT", "/api/v1/policies/words", {"yaml": POLICY}),
        ("DELETE", "/api/v1/policies/words", None),
        ("POST", "/api/v1/reload", None),
        ("GET", "/api/v1/versions", None),
        ("POST", "/api/v1/versions", {"number": 0}),
        ("GET", "/api/v1/audit", None),
    ],
)
def test_nobody_but_an_administrator_gets_in(admin, method, path, body) -> None:
    """PEERS 10, 12: 401 without a key, 403 for a known user; a form of another site is refused."""
    admin = admin(CDSW_ENGINE_ID="e", GATEWAY_TRUST_PLATFORM="1")
    before = admin.text
    client = admin.gateway.client
    json_ = {"Content-Type": "application/json", "If-Match": "*"}
    data = json.dumps(body) if body else None
    sent = {"method": method, "data": data}
    assert client.open(path, headers=json_, **sent).status_code == 401
    user = {**json_, "REMOTE-USER": "ann"}
    assert client.open(path, headers=user, **sent).status_code == 403
    wrong = {**json_, "X-API-Key": "wrong"}
    assert client.open(path, headers=wrong, **sent).status_code == 401
    if method != "GET":
        form = {**admin.gateway.headers, "Content-Type": "text/plain", "If-Match": "*"}
        assert client.open(path, headers=form, **sent).status_code == 415
    assert admin.text == before


def test_a_policy_is_put_as_yaml_and_as_json(admin) -> None:
    """YAML keeps its comments; JSON is written as YAML; both are in force when it answers."""
    admin = admin()
    shown = admin.call("GET", "/api/v1/policies/words")
    assert (shown.json["yaml"], shown.json["policy"]["name"]) == (POLICY, "words")
    etag = {"If-Match": shown.headers["etag"]}
    text = POLICY.replace("xyzzy", "plugh")
    assert admin.call("PUT", "/api/v1/policies/words", {"yaml": text}).status_code == 428
    assert admin.call("PUT", "/api/v1/policies/words", {"yaml": text}, **etag).status_code == 200
    assert admin.call("GET", "/api/v1/policies/words").json["yaml"] == text
    question = {"model": "model-a", "messages": [{"role": "user", "content": "say plugh"}]}
    assert admin.call("POST", "/chat", question).status_code == 403
    other = {**shown.json["policy"], "name": "other"}
    assert admin.call("PUT", "/api/v1/policies/other", other).status_code == 201
    assert admin.call("GET", "/api/v1/policies/other").json["policy"] == other
    found = admin.call("GET", "/api/v1/policies").json["policies"]
    assert [each["name"] for each in found] == ["other", "words"]
    star = {"If-Match": "*"}
    assert admin.call("DELETE", "/api/v1/policies/words", **star).status_code == 204
    assert admin.call("POST", "/chat", question).status_code == 200
    last = admin.call("DELETE", "/api/v1/policies/other", **star)
    assert (last.status_code, "no policy" in last.json["error"]["message"]) == (400, True)
    assert admin.call("GET", "/api/v1/policies/other").status_code == 200


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("..%2Froutes", {"yaml": POLICY}, 404),
        ("..", {"yaml": POLICY}, 404),
        ("Words", {"yaml": POLICY}, 404),
        ("nothing", None, 404),
        ("words", {"yaml": "${AI_GATEWAY_API_KEY}"}, 400),
        ("words", {"yaml": 'version: 1\nname: "\\x24{A}"\n'}, 400),
        ("words", {"version": "${A}"}, 400),
        ("words", {"${A}": 1}, 400),
        ("words", {"yaml": "a: [", "x": 1}, 400),
        ("words", {"yaml": "a: ["}, 400),
        ("words", {"yaml": POLICY.replace("name: words", "name: another")}, 200),
        ("words", {"version": 1, "name": "words", "checks": [{"type": "exec"}]}, 400),
        ("words", {"version": 1e300}, 400),
        ("words", [], 400),
        ("words", {"yaml": "x" * 600_000}, 400),
        ("words", {"text": "x" * 600_000}, 413),
    ],
)
def test_a_wrong_policy_changes_nothing(admin, name, body, status) -> None:
    """PEERS 5, 6: a name is no path, a text no template, a check no code."""
    admin = admin()
    method = "PUT" if body is not None else "GET"
    reply = admin.call(method, f"/api/v1/policies/{name}", body, **{"If-Match": "*"})
    assert reply.status_code == status
    if status != 200:
        assert admin.call("GET", "/api/v1/policies/words").json["yaml"] == POLICY


def test_models_are_shown_without_what_is_secret(admin) -> None:
    """Variables by their names, credentials not at all."""
    models = "  mine:\n    url: http://x/v1\n    model_id: m\n    credentials: {token: canary}\n"
    admin = admin(models=models)
    reply = admin.call("GET", "/api/v1/models")
    assert reply.json["models"]["model-a"]["url"] == "${MODEL_A_URL}"
    assert reply.json["models"]["mine"]["credentials"] == {"token": "***"}
    assert "canary" not in reply.text
    weights = admin.call("GET", "/api/v1/weights").json["models"]
    assert sorted(weights) == ["mine", "model-a", "model-b"]


def test_a_reload_that_nobody_asked_for_is_in_the_log(admin) -> None:
    """A file that was edited by hand and followed, or a signal: by the gateway itself."""
    admin = admin()
    path = admin.gateway.service.settings.bundle / "routes.yaml"
    path.write_text(admin.text + "# by hand\n")
    assert admin.reloader.reload()
    path.write_text("routes: [")
    assert not admin.reloader.reload()
    rows = sorted(admin.gateway.rows("audit"), key=lambda row: row["number"])
    assert [(row["who"], row["outcome"]) for row in rows] == [
        ("gateway", "done"),
        ("gateway", "invalid_bundle"),
    ]
    assert rows[0]["before"] != rows[0]["after"] == rows[1]["before"] == rows[1]["after"]


def test_who_has_the_scope_may(admin) -> None:
    """``admin`` has everything, ``routes`` has routes; nothing else lets anybody in."""
    admin = admin()
    from functions.admin import models, routes  # noqa: PLC0415 - only here without HTTP

    context, route = (
        admin.gateway.snapshot.context,
        admin.gateway.snapshot.bundle.manifest.routes[2],
    )

    def event(scopes):
        from ai_gateway.contract import Event  # noqa: PLC0415 - beside it

        caller = Caller("k", "api-key", scopes=scopes)
        return Event("r", route, "GET", route.path, 0.0, caller=caller)

    for scopes, allowed in (
        (None, False),
        ({"keys"}, False),
        ({"routes"}, True),
        ({"admin"}, True),
    ):
        found = scopes and frozenset(scopes)
        if allowed:
            assert routes.handle(event(found), context).status == 200
        else:
            with pytest.raises(Exception, match="scope 'routes'"):
                routes.handle(event(found), context)
    with pytest.raises(Exception, match="scope 'models'"):
        models.handle(event(frozenset({"routes"})), context)


def test_metrics_are_what_was_counted(admin) -> None:
    """By type and by endpoint, as rows."""
    admin = admin()
    admin.gateway.client.get("/ping")
    admin.gateway.client.post("/chat", data="{}")
    question = {"model": "model-a", "messages": [{"role": "user", "content": "What is GRPO?"}]}
    assert admin.call("POST", "/chat", question).status_code == 200
    latency = admin.call("GET", "/api/v1/metrics?type=latency&endpoint=/chat").json
    assert (latency["type"], latency["endpoint"]) == ("latency", "/chat")
    (row,) = latency["metrics"]
    assert (row["labels"], row["count"]) == ({"route": "chat"}, 2)
    assert 0 < row["p50"] <= row["p95"] <= row["p99"]
    errors = admin.call("GET", "/api/v1/metrics?type=errors").json["metrics"]
    assert [(row["labels"], row["value"], row["share"]) for row in errors] == [
        ({"route": "chat", "status": "401"}, 1, 0.5)
    ]
    tokens = admin.call("GET", "/api/v1/metrics?type=tokens").json["metrics"]
    assert {row["labels"]["kind"] for row in tokens} >= {"input", "output"}
    (cost,) = admin.call("GET", "/api/v1/metrics?type=cost").json["metrics"]
    assert cost["value"] > 0
    rows = admin.call("GET", "/api/v1/metrics").json["metrics"]
    assert {row["type"] for row in rows} >= {"requests", "latency", "errors", "cost", "process"}
    bundle = [row for row in rows if row["name"] == "ai_gateway_bundle_current"]
    assert [row["type"] for row in bundle] == ["process"]


@pytest.mark.parametrize(
    ("query", "status"),
    [("type=speed", 400), ("endpoint=/nowhere", 404), ("type=cost&" + "a=1&" * 30, 400)],
)
def test_a_wrong_question_to_the_metrics_is_told(admin, query, status) -> None:
    """With what there is."""
    assert admin().call("GET", f"/api/v1/metrics?{query}").status_code == status


def test_a_body_is_bounded(admin) -> None:
    """PEERS 13: what is larger than a route can be is not read."""
    body = {"path": "/x", "target": "http://ai-service", "name": "x" * 200_000}
    assert admin().call("POST", "/api/v1/routes", body).status_code == 413


def test_a_body_that_nests_too_deep_is_refused(admin) -> None:
    """PEERS 13: before it is looked into."""
    deep = "[" * 100 + "]" * 100
    reply = admin().call("POST", "/api/v1/routes", deep)
    assert (reply.status_code, reply.json["error"]["code"]) == (400, "too_deep")


def test_no_shipped_admin_route_is_open(start) -> None:
    """PEERS 10, 12: every one of them denies without credentials, whatever its method."""
    gateway = start()
    routes = [route for route in gateway.snapshot.bundle.manifest.routes if "/api/" in route.path]
    assert len(routes) >= 10
    for route in routes:
        path = route.path.replace("{endpoint:path}", "ping").replace("{", "").replace("}", "")
        for method in route.methods:
            assert gateway.client.open(path, method=method).status_code == 401


def test_nothing_that_a_request_reaches_runs_what_it_is_given() -> None:
    """PEERS 5, 6, 8: no eval, no exec, no template, no process in the control plane."""
    files = [*(ROOT / "ai_gateway" / "control").glob("*.py"), *(ROOT / "functions").rglob("*.py")]
    banned = {"eval", "exec", "compile", "__import__", "subprocess", "jinja2", "pickle", "system"}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names = {getattr(node, "id", None)}
            if isinstance(node, ast.Import | ast.ImportFrom):
                names |= {alias.name for alias in node.names} | {getattr(node, "module", None)}
            assert not names & banned, (file, names & banned)

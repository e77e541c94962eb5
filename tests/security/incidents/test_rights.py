"""What who is in may do: what was given to him, on what is his, and by no other door."""

import time

from ai_gateway import jobs
from ai_gateway.contract import Reply
from runner import application
from tests.access.oidc import part
from tests.gateway.test_jwt import bearer, good
from tests.hosting.conftest import running
from tests.security.test_every_route import ask, closed, path_of

JSON = {"Content-Type": "application/json", "If-Match": "*"}


def issue(gateway, by=None, **asked):
    """The reply to a request for a key."""
    headers = {**(by or gateway.headers), **JSON}
    return gateway.client.post("/api/v1/keys", json={"name": "a", **asked}, headers=headers)


def test_07_nobody_gives_himself_more(everything, idp) -> None:
    """What a caller writes of rights is refused or his own; no chain of calls ends higher."""
    gateway = everything()
    bounds = {"routes": ["inference", "keys-issue", "key-rotate", "keys"], "models": ["model-a"]}
    made = issue(gateway, scopes=["keys"], tenant="acme", **bounds).json
    maker = {"X-API-Key": made["key"]}
    greedy = (
        *({"admin": True}, {"user_role": "proxy_admin"}, {"role": "admin"}, {"is_admin": 1}),
        *({"allowed_routes": ["/*"]}, {"routes": ["*"]}, {"routes": None}, {"models": None}),
        *({"routes": ["metrics"]}, {"scopes": ["keys", "routes"]}, {"scopes": ["admin"]}),
        *({"tenant": "rival"}, {"team": "other"}, {"id": "0" * 32}, {"created_by": "admin"}),
        *(
            {"Routes": None},
            {"routes ": None},
            {"parent": "0" * 32},
            {"digest": "0"},
            {"scopes": "*"},
        ),
    )
    for asked in greedy:
        assert issue(gateway, maker, **asked).status_code in (400, 403), asked
    child = issue(gateway, maker, scopes=["keys"])
    grandchild = issue(gateway, {"X-API-Key": child.json["key"]})
    rotated = gateway.client.post(
        f"/api/v1/keys/{child.json['id']}/rotate", json={"overlap": "1h"}, headers={**maker, **JSON}
    )
    assert [reply.status_code for reply in (child, grandchild, rotated)] == [201] * 3
    for parent, hangs_on in ((None, made["id"]), (child.json["id"], child.json["id"])):
        reply = issue(gateway, maker, parent=parent).json
        assert (reply["parent"], reply["models"]) == (hangs_on, ["model-a"])
    token = good(idp, tid="acme", admin=True, role="admin", scope="admin keys", routes="*")
    written = [
        ("POST", "/api/v1/routes", {"path": "/mine", "target": "http://127.0.0.1"}),
        ("PUT", "/api/v1/security/metrics", {"authType": "none"}),
        ("PUT", "/api/v1/policies/words", {"yaml": "version: 1\nname: words\nchecks: []\n"}),
        ("DELETE", "/api/v1/policies/words", None),
        ("PUT", "/api/v1/log-level", {"level": "debug"}),
        ("POST", "/api/v1/reload", None),
        ("POST", "/api/v1/erasures", {"tenant": "rival"}),
        ("GET", "/api/v1/exports?tenant=rival", None),
        ("GET", "/api/v1/audit", None),
        ("POST", "/admin/judge-tick", None),
    ]
    folder = gateway.service.settings.bundle
    before = [(path, path.read_bytes()) for path in folder.glob("*/*.yaml")]
    keys = [{"X-API-Key": each.json["key"]} for each in (child, grandchild, rotated)]
    for who in [maker, *keys, bearer(token)]:
        for method, path, body in written:
            reply = gateway.client.open(path, method=method, json=body, headers={**who, **JSON})
            assert reply.status_code in (401, 403), (path, reply.text)
        asked = {"inputs": "Hi", "model_name": "model-b"}
        if who is not keys[0] and "X-API-Key" in who:
            assert gateway.client.post("/inference", json=asked, headers=who).status_code == 404
    assert [(path, path.read_bytes()) for path in folder.glob("*/*.yaml")] == before


def test_09_the_door_is_the_functions_and_not_the_paths(everything) -> None:
    """Whoever is let in is let in to the function that answers, however path and Host are read."""
    gateway = everything()
    called = []
    handlers = gateway.snapshot.bundle.handlers
    for name in handlers:
        handlers[name] = lambda event, _context: called.append(event.route.name) or Reply({})
    app = application(gateway.snapshot)
    hosts = ("x/ping?", "x/ping?#", "x#", "x\\ping", "x/..;/ping", "/ping?#", "x%2fping%3f")
    for route in closed(gateway):
        for host in hosts:
            assert 400 <= ask(app, route.methods[0], path_of(route), host=host) < 500
    with running(app) as server:
        for host in hosts:
            for target in ("/metrics", f"http://{host}/metrics", "/api/v1/audit?/ping"):
                with server.connect() as caller:
                    caller.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                    assert caller.recv(12)[9:12] in (b"400", b"401", b"404"), (host, target)
    assert called == []


def test_10_every_door_that_is_there_is_locked(everything) -> None:
    """All that the application itself would answer, whoever put it there, asks who calls."""
    gateway = everything()
    routes = {route.name: route for route in gateway.snapshot.bundle.manifest.routes}
    app = application(gateway.snapshot)
    rules = list(app.url_map.iter_rules())
    assert {rule.endpoint.removesuffix("/") for rule in rules} == set(routes)
    tried = 0
    for rule in rules:
        route = routes[rule.endpoint.removesuffix("/")]
        for method in rule.methods:
            filled = dict.fromkeys(rule.arguments, "model-a")
            status = ask(app, method, rule.build(filled, append_unknown=False)[1])
            tried += 1
            if "none" not in route.auth:
                assert status == 401, (rule.rule, method)
    assert tried > len(routes)
    for path in ("/static/x", "/docs", "/openapi.json", "/admin", "/debug", "/console", "/.env"):
        if path not in {route.path for route in routes.values()}:
            assert ask(app, "GET", path) == 404, path


def test_12_work_behind_the_scenes_has_no_open_door(everything) -> None:
    """Jobs run by a schedule; over HTTP only where a route says so, and for an administrator."""
    gateway = everything()
    names = [job.name for job in gateway.snapshot.bundle.manifest.jobs]
    assert {"judge-tick", "compact", "prune"} <= set(names)
    issued = {"X-API-Key": issue(gateway).json["key"]}
    for name in names:
        for path in (f"/{name}", f"/jobs/{name}", f"/api/v1/jobs/{name}", f"/job/{name}"):
            for method in ("POST", "GET", "TICK"):
                reply = gateway.client.open(path, method=method, headers=gateway.headers)
                assert reply.status_code == 404, path
        path = f"/admin/{name}"
        for method in ("POST", "TICK", "GET"):
            assert gateway.client.open(path, method=method).status_code in (401, 405)
        assert gateway.client.post(path, headers=issued).status_code == 403, path
    tick = next(job for job in gateway.snapshot.bundle.manifest.jobs if job.name == "judge-tick")
    assert jobs.tick(gateway.service, gateway.snapshot, tick)[0] == 0
    assert gateway.simulator.counts["judge"] == 0, "there was nothing to judge for anybody"


def test_15_what_is_anothers_is_not_there_and_a_search_is_bounded(everything, idp) -> None:
    """Ids of others lead nowhere, and no pattern makes a search long."""
    gateway = everything()
    owner = issue(gateway, tenant="acme").json
    thief = {"X-API-Key": issue(gateway, tenant="rival", scopes=["keys"]).json["key"]}
    answered = gateway.client.post(
        "/inference",
        json={"inputs": "canary", "model_name": "model-a"},
        headers={"X-API-Key": owner["key"]},
    )
    request_id = answered.headers["x-request-id"]
    for method, path in (
        ("GET", f"/api/v1/keys/{owner['id']}"),
        ("DELETE", f"/api/v1/keys/{owner['id']}"),
        ("POST", f"/api/v1/keys/{owner['id']}/rotate"),
    ):
        reply = gateway.client.open(path, method=method, headers={**thief, **JSON})
        assert reply.status_code == 404, path
    for who in (thief, bearer(good(idp, tid="rival"))):
        for path in (
            f"/api/v1/exports?request_id={request_id}",
            f"/api/v1/erasures?request_id={request_id}",
            f"/api/v1/audit?object={request_id}",
            f"/api/v1/keys?prefix={owner['prefix']}",
        ):
            reply = gateway.client.get(path, headers=who)
            assert request_id not in reply.text
            assert owner["id"] not in reply.text
        rated = {"request_id": request_id, "thumb": "down"}
        gateway.client.post("/feedback", json=rated, headers=who)
    for tenant, status in (("rival", 404), ("acme", 200)):
        reader = {"X-API-Key": issue(gateway, tenant=tenant, scopes=["records"]).json["key"]}
        reply = gateway.client.get(f"/api/v1/requests/{request_id}", headers=reader)
        assert (reply.status_code, "canary" in reply.text) == (status, status == 200)
        reply = gateway.client.get("/api/v1/requests", headers=reader)
        assert (request_id in reply.text) == (status == 200)
    assert {row["tenant"] for row in gateway.rows("feedback")} == {"rival"}
    patterns = (
        "%",
        "%25",
        "_",
        "%" * 200,
        "%25" * 2000,
        "a%" * 100,
        ".*" * 100,
        "(a+)+$",
        part("x"),
    )
    started = time.monotonic()
    for pattern in patterns:
        for path in (
            *("/api/v1/keys?prefix=", "/api/v1/keys?owner=", "/api/v1/audit?object="),
            *("/api/v1/requests?route=", "/api/v1/requests?model=", "/api/v1/requests?cursor="),
        ):
            reply = gateway.client.get(f"{path}{pattern}", headers=gateway.headers)
            assert reply.status_code in (200, 400), (path, pattern)
            if reply.status_code == 200:
                assert owner["id"] not in reply.text, (path, pattern)
    for limit in ("999999999", "-1", "0", "1e9", "a"):
        for path in ("/api/v1/keys?limit=", "/api/v1/audit?limit=", "/api/v1/requests?limit="):
            assert gateway.client.get(f"{path}{limit}", headers=gateway.headers).status_code == 400
    assert time.monotonic() - started < 20

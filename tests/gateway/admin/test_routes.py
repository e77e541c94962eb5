"""Routes and their security by the admin API, as the seed asks for them."""

import json

import pytest

from tests.gateway.admin.conftest import ADMIN


@pytest.mark.parametrize(
    "body",
    [
        {"path": "/predict", "target": "http://ai-service:8080", "method": "POST"},
        {"path": "/predict", "target": "http://ai-service:8080"},
        {"path": "/predict", "target": "http://ai-service:8080", "methods": ["post", "GET"]},
    ],
)
def test_a_route_is_created_as_the_seed_asks_for_it(admin, body) -> None:
    """With and without a method; it is in the file, in force at once, and nothing else changed."""
    admin = admin()
    before = admin.text
    reply = admin.call("POST", "/api/v1/routes", body)
    assert reply.status_code == 201
    assert reply.json["path"] == "/predict"
    assert reply.json["methods"] == (["POST", "GET"] if "methods" in body else ["POST"])
    assert reply.headers["location"] == "/api/v1/routes/predict"
    added = [line for line in admin.text.splitlines() if line not in before.splitlines()]
    assert added[:2] == ["  - path: /predict", "    target: http://ai-service:8080"]
    assert admin.gateway.client.post("/predict", data="{}").status_code == 403
    assert "predict" in [
        each["name"] for each in admin.call("GET", "/api/v1/routes").json["routes"]
    ]
    assert admin.call("POST", "/api/v1/routes", body).status_code == 409
    etag = admin.call("GET", "/api/v1/routes/predict").headers["etag"]
    gone = admin.call("DELETE", "/api/v1/routes/predict", **{"If-Match": etag})
    assert gone.status_code == 204
    assert admin.text == before
    assert admin.gateway.client.post("/predict", data="{}").status_code == 404


def test_the_seeds_example_works_to_its_end(admin, target) -> None:
    """Add a route, then call it with the same key, as curl does; nobody else may call it."""
    admin = admin()
    body = {"path": "/ml-predict", "target": target}
    assert admin.call("POST", "/api/v1/routes", body).status_code == 201
    curl = {
        "Authorization": f"Bearer {admin.gateway.key}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    reply = admin.gateway.client.post("/ml-predict", data='{"input": "data"}', headers=curl)
    assert (reply.status_code, reply.json["got"]) == (200, {"input": "data"})
    assert admin.gateway.client.post("/ml-predict", data="{}").status_code == 403


@pytest.mark.parametrize("endpoint", ["chat", "/chat", "%2Fchat"])
def test_an_endpoint_is_secured_as_the_seed_asks_for_it(admin, endpoint) -> None:
    """Its path is what follows, encoded or not; the route's own auth is changed where it stands."""
    admin = admin()
    body = {"authType": "api-key", "rateLimit": 100}
    reply = admin.call("PUT", f"/api/v1/security/{endpoint}", body)
    assert reply.status_code == 200
    assert reply.json == {
        "endpoint": "/chat",
        "routes": [{"name": "chat", "rateLimit": 100, "auth": ["api-key"]}],
    }
    assert 'chat_completions:handle", auth: [api-key]}' in admin.text
    assert "security:\n  - endpoint: /chat\n    rateLimit: 100\n" in admin.text
    shown = admin.call("GET", "/api/v1/routes/chat").json
    assert (shown["auth"], shown["rateLimit"]) == (["api-key"], 100)


def test_a_limit_that_is_put_counts_at_once_and_goes_again(admin, target) -> None:
    """The seed's 50/min, one a minute here; null takes it away."""
    admin = admin()
    admin.call("POST", "/api/v1/routes", {"path": "/predict", "target": target})
    before = admin.text
    secured = {"authType": ["api-key"], "rateLimit": "1/min"}
    assert admin.call("PUT", "/api/v1/security/predict", secured).status_code == 200
    assert [admin.call("POST", "/predict", {}).status_code for _ in range(2)] == [200, 429]
    gone = {"authType": None, "rateLimit": None}
    assert admin.call("PUT", "/api/v1/security/predict", gone).status_code == 200
    assert admin.text == before


def test_jwt_is_put_where_there_is_an_issuer(admin) -> None:
    """The seed's own body, on a bundle that says whose tokens are taken."""
    issuer = """jwt:
  - {issuer: "https://issuer.test", audience: ai-gateway}
"""
    other = '\n  - {path: /other, function: "functions.ping:handle", auth: jwt}\n\n# whom'
    admin = admin(ADMIN.replace("\n# whom", other) + issuer)
    body = {"authType": "jwt", "rateLimit": 100}
    reply = admin.call("PUT", "/api/v1/security/chat", body)
    assert (reply.status_code, reply.json["routes"][0]["auth"]) == (200, ["jwt"])
    assert admin.gateway.client.post("/chat", data="{}").status_code == 401


def test_jwt_is_told_what_it_needs(admin) -> None:
    """The seed's own body is read; without an issuer it is refused, with the report of check."""
    admin = admin()
    before = admin.text
    reply = admin.call("PUT", "/api/v1/security/chat", {"authType": "jwt", "rateLimit": 100})
    assert (reply.status_code, reply.json["error"]["code"]) == (400, "invalid_bundle")
    assert "jwt" in reply.json["error"]["message"]
    assert admin.text == before


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/v1/security/nowhere", {"rateLimit": 1}, 404),
        ("/api/v1/security/chat", {}, 400),
        ("/api/v1/security/chat", {"rateLimit": "1/fortnight"}, 400),
        ("/api/v1/security/chat", {"authType": "${AI_GATEWAY_API_KEY}"}, 400),
        ("/api/v1/security/chat", {"auth": "none", "limit": 1}, 400),
        ("/api/v1/security/chat", {"rateLimit": 1.5}, 400),
    ],
)
def test_wrong_security_changes_nothing(admin, path, body, status) -> None:
    """Whatever is wrong with it, the file stays as it was and the log has the attempt."""
    admin = admin()
    before = admin.text
    assert admin.call("PUT", path, body).status_code == status
    assert admin.text == before
    assert [action for action, _, _ in admin.audit()] == ["security.put"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"path": "/x", "target": "http://elsewhere:1"}, "allowed_hosts"),
        ({"path": "/x", "target": "http://169.254.169.254/"}, "allowed_hosts"),
        ({"path": "/x", "target": "http://ai-service@evil:1"}, "no URL"),
        ({"path": "/x", "target": "file:///etc/passwd"}, "no URL"),
        ({"path": "/x", "target": "http://${AI_GATEWAY_API_KEY}.ai-service"}, "${"),
        ({"path": "/x${HOME}", "target": "http://ai-service"}, "${"),
        ({"path": "x", "target": "http://ai-service"}, "begins with /"),
        ({"path": "/x", "target": "http://ai-service", "methods": ["BREW"]}, "methods"),
        ({"path": "/x", "target": "http://ai-service", "method": "GET", "methods": []}, "not both"),
        ({"path": "/x", "target": "http://ai-service", "auth": "trust"}, "auth"),
        ({"path": "/x", "target": "http://ai-service", "rateLimit": 0}, "rate"),
        ({"path": "/x", "target": "http://ai-service", "guardrails": ["nope"]}, "nope"),
        ({"path": "/x", "target": "http://ai-service", "function": "os:system"}, "function"),
        ({"path": "/x", "target": "http://ai-service", "credentials": {"token": "a"}}, "credent"),
        ({"path": "/x", "target": "http://ai-service", "admin": True}, "admin"),
        ({"path": "/x"}, "target"),
        ({"path": "/ping", "target": "http://ai-service", "name": "p", "method": "GET"}, "/ping"),
        ([], "body"),
        ("{", "JSON"),
        ('{"path": "/x", "path": "/y", "target": "http://ai-service"}', "twice"),
    ],
)
def test_a_wrong_route_changes_nothing(admin, body, told) -> None:
    """PEERS 1, 2, 7, 11: no address, variable, function or credential gets in by a request.

    The log has the attempt.
    """
    admin = admin()
    before = admin.text
    reply = admin.call("POST", "/api/v1/routes", body)
    assert reply.status_code == 400
    assert told in reply.json["error"]["message"]
    assert admin.text == before
    assert not admin.gateway.simulator.requests
    assert admin.gateway.client.post("/x", data="{}").status_code == 404
    ((action, _, outcome),) = admin.audit()
    assert (action, outcome) == ("route.create", reply.json["error"]["code"])


def test_every_problem_is_told_at_once_without_a_secret(admin) -> None:
    """A line for each, with file and key as check has them; no path of the machine, no value."""
    body = {"path": "/x", "target": "http://ai-service", "auth": "trust", "guardrails": ["nope"]}
    message = admin().call("POST", "/api/v1/routes", body).json["error"]["message"]
    lines = message.split("\n")
    assert len(lines) == 3
    assert all(line.startswith("routes.yaml:") for line in lines[:2])
    assert lines[2] == "2 problems; nothing was changed"
    assert "/tmp" not in message


def test_hosts_are_those_of_the_files_own_targets_where_none_are_listed(admin) -> None:
    """Without allowed_hosts a request adds no host that is not there already."""
    proxied = '\n  - {path: /old, target: "http://old-service:1", auth: api-key}\n\n# whom'
    without = ADMIN.partition("allowed_hosts")[0].replace("\n# whom", proxied)
    admin = admin(without)
    for host, status in (("ai-service", 400), ("old-service", 201)):
        body = {"path": "/predict", "target": f"http://{host}:2"}
        assert admin.call("POST", "/api/v1/routes", body).status_code == status


def test_a_route_is_replaced_in_one_step(admin, target) -> None:
    """Never a moment without it: the old one answers until the new one does."""
    admin = admin()
    body = {"path": "/predict", "target": "http://ai-service:8080"}
    where, star = "/api/v1/routes/predict", {"If-Match": "*"}
    assert admin.call("PUT", where, body, **star).status_code == 412
    made = admin.call("PUT", where, body)
    assert (made.status_code, made.headers["location"]) == (201, where)
    assert made.json == {"name": "predict", "methods": ["POST"], **body}
    assert admin.call("PUT", where, {**body, "target": target}).status_code == 428
    old = {"If-Match": '"old"'}
    assert admin.call("PUT", where, {**body, "target": target}, **old).status_code == 412
    bound = {"If-Match": made.headers["etag"]}
    done = admin.call("PUT", where, {**body, "target": target, "timeout": "5s"}, **bound)
    assert (done.status_code, done.json["target"]) == (200, target)
    assert done.json == admin.call("GET", where).json
    assert done.headers["etag"] == admin.call("GET", where).headers["etag"]
    assert admin.call("POST", "/predict", {"a": 1}).json["got"] == {"a": 1}
    assert admin.call("PUT", where, body, **star).json == made.json
    text = admin.text
    refused = admin.call("PUT", where, {**body, "guardrails": ["nope"]}, **star)
    assert (refused.status_code, admin.text) == (400, text)
    assert admin.call("PUT", where, {**body, "function": "os:system"}, **star).status_code == 400
    assert admin.call("PUT", where, {**body, "path": "/${HOME}"}, **star).status_code == 400
    assert admin.call("PUT", "/api/v1/routes/chat", body, **star).status_code == 409
    outcomes = [outcome for action, _, outcome in admin.audit() if action == "route.put"]
    assert outcomes == [
        "precondition_failed",
        "done",
        "precondition_required",
        "precondition_failed",
        "done",
        "done",
        "invalid_bundle",
        "invalid_request",
        "invalid_request",
        "conflict",
    ]
    row = sorted(admin.gateway.rows("audit"), key=lambda row: row["number"])[4]
    before, after = (json.loads(row[name])["value"] for name in ("before", "after"))
    assert (before["target"], after["target"]) == (body["target"], target)


def test_a_change_says_what_it_is_a_change_of(admin) -> None:
    """Without If-Match 428 where something is taken away, with an old one 412, with ``*`` done."""
    admin = admin()
    first = admin.call("GET", "/api/v1/routes").headers["etag"]
    assert admin.call("DELETE", "/api/v1/routes/ping").status_code == 428
    body = {"path": "/a", "target": "http://ai-service"}
    assert admin.call("POST", "/api/v1/routes", body, **{"If-Match": first}).status_code == 201
    lost = admin.call("DELETE", "/api/v1/routes/ping", **{"If-Match": first})
    assert (lost.status_code, lost.json["error"]["code"]) == (412, "precondition_failed")
    now = lost.headers["etag"]
    assert now == admin.call("GET", "/api/v1/models").headers["etag"] != first
    weak = admin.call("DELETE", "/api/v1/routes/ping", **{"If-Match": f"W/{now}"})
    assert weak.status_code == 412
    several = admin.call("DELETE", "/api/v1/routes/ping", **{"If-Match": f"{first}, {now}"})
    assert several.status_code == 204
    assert admin.call("DELETE", "/api/v1/routes/a", **{"If-Match": "*"}).status_code == 204
    assert admin.call("DELETE", "/api/v1/routes/a", **{"If-Match": "*"}).status_code == 404
    assert admin.call("GET", "/api/v1/routes/a").status_code == 404

"""The document: it is valid, it has every route, and it tells each caller his own."""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import Any, get_args

import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from ai_gateway.manifest.model import Route, Scheme
from ai_gateway.openapi.security import SCHEMES, security
from tests.conftest import ROOT

ROUTES = yaml.safe_load((ROOT / "routes.yaml").read_text())["routes"]


def test_the_document_is_openapi_3_1(whole) -> None:
    """A validator that is not ours finds nothing wrong with it."""
    found = whole.document()
    assert found["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(found).iter_errors()] == []


def test_every_route_is_in_it(whole) -> None:
    """Each method of each route of the default bundle, and the target's path and what is below."""
    told = {
        (method.upper(), path)
        for path, item in whole.document()["paths"].items()
        for method in item
    }
    served = {
        (method, route["path"].replace(":path}", "}"))
        for route in ROUTES
        for method in route.get("methods", ["POST"])
    }
    targets = {
        (method, f"/target{below}") for method in ("GET", "POST") for below in ("", "/{below}")
    }
    assert told == served | targets


def test_every_function_says_what_it_takes_and_gives(whole) -> None:
    """Of the shipped functions none is told as one that answers whatever it likes."""
    vague = [
        path
        for path, item in whole.document()["paths"].items()
        for operation in item.values()
        if "default" in operation["responses"] and not path.startswith("/target")
    ]
    assert vague == []


def test_the_example_of_every_body_is_answered(whole) -> None:
    """What the explorer fills in works as it stands, on every route that asks a model."""
    answered = []
    for path, item in whole.document()["paths"].items():
        body = item.get("post", {}).get("requestBody", {}).get("content", {})
        example = body.get("application/json", {}).get("example")
        if path.startswith(("/v", "/inference", "/guardrail", "/feedback")) and example:
            url = path.replace("{name}", "iris")
            reply = whole.gateway.client.post(url, json=example, headers=whole.gateway.headers)
            assert reply.status_code in (200, 201), (path, reply.text)
            answered.append(path)
    assert len(answered) == 14


def issue(whole, **asked: Any) -> dict[str, str]:
    """A new key's header."""
    reply = whole.gateway.client.post(
        "/api/v1/keys", json={"name": "a", **asked}, headers=whole.gateway.headers
    )
    return {"X-API-Key": reply.json["key"]}


def test_a_caller_is_told_of_his_own_routes_alone(whole) -> None:
    """A key for one route sees that and the open ones; a scope shows what it opens."""
    own = issue(whole, routes=["inference", "openapi.json"])
    paths = set(whole.document(**own)["paths"])
    opened = {route["path"] for route in ROUTES if route["auth"] == "none"}
    assert paths == {"/inference", "/openapi.json"}
    assert not paths & opened  # a key that has its routes may call no other, open ones neither
    everyday = set(whole.document(**issue(whole))["paths"])
    assert "/v1/chat/completions" in everyday
    assert [path for path in everyday if path.startswith("/api/v1")] == ["/api/v1/weights"]
    auditor = set(whole.document(**issue(whole, scopes=["audit"]))["paths"])
    assert auditor - everyday == {"/api/v1/audit"}


def test_nobody_reads_it_without_a_credential(whole) -> None:
    """The default bundle asks for a key or a platform user."""
    assert whole.gateway.client.get("/openapi.json").status_code == 401


def scoped(whole) -> list[tuple[str, str, str]]:
    """Method, path and scope of every operation that takes one."""
    return [
        (method.upper(), path, match[1])
        for path, item in whole.document()["paths"].items()
        for method, operation in item.items()
        if (match := re.search(r"or the scope `(\S+)`", operation["description"]))
    ]


def test_the_scopes_that_it_tells_are_those_that_are_asked_for(whole) -> None:
    """A key without the scope is refused; with it what is wrong is never that."""
    plain, client = issue(whole), whole.gateway.client
    found = scoped(whole)
    assert len(found) > 20
    for method, path, scope in found:
        url = re.sub(r"\{\w+\}", "none", path)
        refused = client.open(url, method=method, json={}, headers=plain)
        assert refused.status_code == 403, (method, path)
        having = issue(whole, scopes=[scope])
        reply = client.open(url, method=method, json={}, headers=having)
        assert reply.status_code != 403, (method, path, reply.text)


@pytest.mark.parametrize(
    ("path", "shape"),
    [("/inference", "openai"), ("/v1/messages", "anthropic"), ("/v2/models/{name}/infer", "oip")],
)
def test_errors_have_the_shape_of_the_routes_callers(whole, path, shape) -> None:
    """As ``errors`` of the route says; a head that cannot be read has always the first one."""
    responses = whole.document()["paths"][path]["post"]["responses"]
    assert responses["413"] == {"$ref": f"#/components/responses/{shape}-413"}
    assert responses["431"] == {"$ref": "#/components/responses/openai-431"}
    assert {"4XX", "5XX"} <= set(responses)


@pytest.fixture
def silent(monkeypatch) -> None:
    """An operator's own function, which does not say what it takes."""
    module = ModuleType("functions.silent", "Says nothing.")
    exec("def handle(event, context):\n    return None", vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.usefixtures("silent")
def test_a_function_that_does_not_say_answers_whatever_it_likes(start) -> None:
    """It is in the document, with the gateway's own refusals and any body and answer."""
    routes = """
  - {path: /mine, methods: [GET, POST], function: "functions.silent:handle", auth: api-key}
  - {path: /openapi.json, methods: [GET], function: "functions.openapi:handle", auth: api-key}
"""
    gateway = start(routes)
    found = gateway.client.get("/openapi.json", headers=gateway.headers).json
    assert [error.message for error in OpenAPIV31SpecValidator(found).iter_errors()] == []
    mine = found["paths"]["/mine"]
    assert {"default", "401", "413"} <= set(mine["get"]["responses"])
    assert mine["post"]["requestBody"]["content"] == {"*/*": {}}
    assert "requestBody" not in mine["get"]


@pytest.mark.parametrize("scheme", get_args(Scheme))
def test_every_way_to_say_who_calls_is_told(scheme) -> None:
    """A route that takes it names schemes that the document has; ``none`` names none."""
    told = security(Route(name="a", path="/a", auth=(scheme,)))
    assert {name for each in told for name in each} <= set(SCHEMES)
    assert (told == [{}]) is (scheme == "none")


ODD = """
  - {name: a, path: "/a/{one}", methods: [GET], function: "functions.ping:handle", auth: api-key}
  - {name: b, path: "/a/{two}", methods: [POST], function: "functions.ping:handle", auth: jwt}
  - {name: c, path: /c, methods: [GET, POST], target: "http://127.0.0.1:9"}
  - {name: e, path: "/a/{three}", methods: [PUT], function: "functions.ping:handle", auth: none}
  - {name: d, path: /d, methods: [GET], function: "functions.v1.models:handle", auth: api-key, scopes: [x]}
  - {path: /openapi.json, methods: [GET], function: "functions.openapi:handle", auth: none}
jwt:
  - {issuer: "https://127.0.0.1:9", audience: a}
"""  # noqa: E501 - a line a route


def test_what_operators_may_write_is_still_valid(start) -> None:
    """Paths that differ in names alone, tokens, routes without auth, scopes, open documents."""
    gateway = start(ODD)
    found = gateway.client.get("/openapi.json", headers=gateway.headers).json
    assert [error.message for error in OpenAPIV31SpecValidator(found).iter_errors()] == []
    assert set(found["paths"]["/a/{one}"]) == {"get", "post", "put"}
    assert found["paths"]["/a/{one}"]["post"]["security"] == [{"token": []}]
    assert found["paths"]["/c"]["get"]["security"][0] == {"key": []}
    assert "`x`" in found["paths"]["/d"]["get"]["description"]
    anonymous = gateway.client.get("/openapi.json").json
    assert set(anonymous["paths"]) == {"/openapi.json", "/a/{three}"}  # no name of another's
    assert anonymous["paths"]["/a/{three}"]["put"]["parameters"][0]["name"] == "three"

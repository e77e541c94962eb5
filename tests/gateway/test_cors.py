"""Pages of other origins: who may call, who may not, and that nobody may where nothing is said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.access.cors import Cors
from ai_gateway.upstream import relay
from tests.conftest import KEY

APP = "https://app.example.com"
ROUTES = """
  - path: /inference
    function: functions.inference:handle
    auth: api-key
    cors: {origins: ["https://app.example.com", "http://localhost:3000"], max_age: 5m}
  - path: /open
    function: functions.inference:handle
    auth: none
    cors: "*"
  - path: /signed-in
    function: functions.inference:handle
    auth: api-key
    cors: {origins: "https://app.example.com", credentials: true, methods: [POST], expose: []}
  - {path: /both, function: "functions.ping:handle", methods: [GET, POST], auth: none,
     cors: {origins: "https://app.example.com", methods: [POST]}}
  - {path: /closed, function: "functions.inference:handle", auth: api-key}
  - {path: "/items/{name}", function: "functions.ping:handle", methods: [GET], auth: none,
     cors: "https://app.example.com"}
  - {path: /items/secret, function: "functions.ping:handle", methods: [GET], auth: none}
  - {path: "/items/{name}", name: change-item, function: "functions.ping:handle",
     methods: [DELETE], auth: none}
  - {path: "/files/{rest:path}", function: "functions.ping:handle", methods: [GET], auth: none,
     cors: "https://app.example.com"}
"""


@pytest.fixture
def gateway(start: Any) -> Any:
    """A gateway on these routes."""
    return start(ROUTES)


def preflight(gateway: Any, path: str, origin: str | None = APP, method: str = "POST") -> Any:
    """What a browser asks before a page may send."""
    headers = {"Access-Control-Request-Method": method}
    if origin is not None:
        headers["Origin"] = origin
    return gateway.client.options(path, headers=headers)


def granted(response: Any) -> dict[str, str]:
    """What a response says to browsers of other origins."""
    return {
        name.lower(): value
        for name, value in response.headers
        if name.lower().startswith("access-control-")
    }


def test_a_preflight_of_a_declared_origin(gateway: Any) -> None:
    """It is answered without a key, with what the page may send, and is counted."""
    response = preflight(gateway, "/inference")
    assert (response.status_code, response.data) == (204, b"")
    assert granted(response) == {
        "access-control-allow-origin": APP,
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": "authorization, content-type, x-api-key, api-key",
        "access-control-max-age": "300",
    }
    assert response.headers["vary"].startswith("Origin")
    assert response.headers["x-request-id"]
    assert gateway.rows() == []
    counted = gateway.service.metrics.requests.labels("inference", "204").collect()
    assert next(iter(counted)).samples[0].value == 1


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://app.example.com.evil.test",
        "https://evil-app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com:443",
        "http://app.example.com",
        "https://APP.example.com",
        "https://app.example.com/",
        "https://app.example.com, https://evil.test",
        "*",
        "",
        "http://localhost",
        "http://localhost:30000",
        None,
    ],
)
def test_no_other_origin_is_one_of_them(gateway: Any, origin: str | None) -> None:
    """Look-alikes, other ports, schemes and cases get nothing, before and after."""
    asked = preflight(gateway, "/inference", origin)
    assert (asked.status_code, granted(asked)) == (405, {})
    headers = {**gateway.headers, **({} if origin is None else {"Origin": origin})}
    answer = gateway.client.post("/inference", json={"inputs": "What is GRPO?"}, headers=headers)
    assert (answer.status_code, granted(answer)) == (200, {})
    assert answer.headers["vary"] == "Origin"


def test_a_page_reads_the_answer_and_the_error(gateway: Any) -> None:
    """What comes after the preflight is marked too, refusals among it; the key is still needed."""
    for headers, status in ((gateway.headers, 200), ({}, 401)):
        answer = gateway.client.post(
            "/inference", json={"inputs": "What is GRPO?"}, headers={**headers, "Origin": APP}
        )
        assert answer.status_code == status
        assert granted(answer) == {
            "access-control-allow-origin": APP,
            "access-control-expose-headers": "x-request-id, x-gateway-model, x-gateway-decision, "
            "retry-after",
        }
        assert answer.headers["vary"] == "Origin"


def test_every_origin_where_that_is_said(gateway: Any) -> None:
    """``*`` is one answer for all, so caches need not keep them apart."""
    answer = gateway.client.post(
        "/open", json={"inputs": "What is GRPO?"}, headers={"Origin": "https://any.test"}
    )
    assert granted(answer)["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in granted(answer)
    assert "vary" not in answer.headers
    assert preflight(gateway, "/open", "null").status_code == 204


def test_credentials_only_where_declared(gateway: Any) -> None:
    """The browser's own cookies go with a request of an exact origin, by its own line."""
    assert granted(preflight(gateway, "/signed-in"))["access-control-allow-credentials"] == "true"
    answer = gateway.client.post(
        "/signed-in", json={"inputs": "What is GRPO?"}, headers={**gateway.headers, "Origin": APP}
    )
    assert granted(answer) == {
        "access-control-allow-origin": APP,
        "access-control-allow-credentials": "true",
    }


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/closed", "POST", 405),
        ("/inference", "GET", 405),
        ("/inference", "DELETE", 405),
        ("/inference", "post", 405),
        ("/nowhere", "POST", 404),
        ("/items/a", "GET", 204),
        ("/items/a/", "GET", 204),
        ("/items/a/b", "GET", 404),
        ("/items/secret", "GET", 405),
        ("/items/a", "DELETE", 405),
        ("/files/a/b/c", "GET", 204),
        ("/inference/", "POST", 204),
    ],
)
def test_only_for_routes_and_methods_that_declare_it(
    gateway: Any, path: str, method: str, status: int
) -> None:
    """Another route on the same path, or one that says more of it, is not opened with it."""
    response = preflight(gateway, path, method=method)
    assert response.status_code == status
    assert bool(granted(response)) == (status == 204)


def test_a_method_that_needs_no_preflight_is_not_opened_with_another(gateway: Any) -> None:
    """A browser sends a GET without asking first; a page that may not use it reads nothing."""
    got = gateway.client.get("/both", headers={"Origin": APP})
    assert (got.status_code, granted(got), got.headers["vary"]) == (200, {}, "Origin")
    sent = gateway.client.post("/both", headers={"Origin": APP})
    assert granted(sent)["access-control-allow-origin"] == APP


def test_an_options_that_is_no_preflight(gateway: Any) -> None:
    """It is what it was: the route takes none."""
    response = gateway.client.options("/inference", headers={"Origin": APP})
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


def test_without_cors_nothing_is_said(start: Any) -> None:
    """No header of that kind leaves the bundle that ships, whatever is asked."""
    gateway = start()
    for path in ("/inference", "/v1/chat/completions", "/ping", "/", "/nowhere"):
        asked = preflight(gateway, path)
        assert granted(asked) == {}
        assert asked.status_code in (404, 405)
        headers = {**gateway.headers, "Origin": APP}
        assert granted(gateway.client.get(path, headers=headers)) == {}
        assert granted(gateway.client.post(path, json={}, headers=headers)) == {}


def test_a_target_says_nothing_to_pages() -> None:
    """What a proxied service allows is not allowed by the gateway."""
    given = {"access-control-allow-origin": "*", "access-control-max-age": "1", "x": "y"}
    assert relay.incoming(given) == {"x": "y"}


def test_a_target_with_methods_of_its_own(start: Any, simulator: Any) -> None:
    """A preflight is answered by the host, also where OPTIONS is passed on; below the path too."""
    host = simulator.url.rsplit("/", 1)[0] if simulator.url.endswith("/v1") else simulator.url
    gateway = start(
        f"""
  - path: /behind
    target: "{host}"
    methods: [GET, OPTIONS]
    auth: api-key
    cors: "{APP}"
allowed_hosts: [127.0.0.1]
"""
    )
    for path in ("/behind", "/behind/", "/behind/a/b"):
        assert preflight(gateway, path, method="GET").status_code == 204
        assert preflight(gateway, path, "https://evil.test", method="GET").status_code == 401
    assert preflight(gateway, "/behinder", method="GET").status_code == 404


@given(st.text())
def test_only_what_is_declared_is_ever_echoed(origin: str) -> None:
    """Whatever an Origin says, what is sent back is one of the declared ones."""
    cors = Cors(origins=(APP,), credentials=True)
    assert cors.marks(origin).get("access-control-allow-origin") in (
        (APP,) if origin == APP else (None,)
    )
    assert cors.signed({"vary": "Accept"}, origin, "GET")["vary"] == "Accept, Origin"


def test_the_key_is_no_secret_of_a_preflight(gateway: Any) -> None:
    """A wrong key with a preflight changes nothing: it is not looked at."""
    headers = {"Origin": APP, "Access-Control-Request-Method": "POST", "X-API-Key": KEY + "x"}
    assert gateway.client.options("/inference", headers=headers).status_code == 204

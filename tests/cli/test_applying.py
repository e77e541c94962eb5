"""What `apply` reads, what it plans, and how it does it: without a process."""

import json
import re

import httpx
import pytest

from ai_gateway.cli import applying, desired
from ai_gateway.cli.output import table
from ai_gateway.client import AI_Gateway, GatewayError, Route
from ai_gateway.client.retrying import Retrying

PROXIED = {"name": "x", "path": "/x", "target": "http://a", "methods": ["POST"]}
SERVED = {"name": "s", "path": "/s", "function": "functions.ping:handle", "methods": ["GET"]}


def wanted(tmp_path, text):
    """What a file asks for."""
    file = tmp_path / "c.yaml"
    file.write_text(text)
    return desired.read(file)


def plan(wanted, *entries):
    """The steps towards it from routes that are there."""
    return applying.plan(wanted, [Route.of(entry, '"1"') for entry in entries])


def test_the_short_form_is_read_with_its_security(tmp_path) -> None:
    """By either name of a key, one text or a list; endpoints of other routes come after."""
    text = """
version: 1
routes:
  - {path: /x, target: "http://a", method: get, authType: jwt, rateLimit: 5}
  - {path: /y, target: "http://a"}
security:
  - {endpoint: /x, auth: [jwt], rateLimit: 5/min}
  - {endpoint: /z, auth: none}
"""
    assert wanted(tmp_path, text) == [
        {
            "path": "/x",
            "target": "http://a",
            "methods": ["GET"],
            "auth": ["jwt"],
            "rateLimit": "5/min",
        },
        {"path": "/y", "target": "http://a", "methods": ["POST"]},
        {"path": "/z", "auth": ["none"]},
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "routes, security or both would be right"),
        ("a: [", "c.yaml"),
        ("routes: []\nroutes: []", "routes"),
        ("routes: 1", "routes: a list of mappings would be right"),
        ("routes: [1]", "routes: a list of mappings would be right"),
        ("version: 2", "version: 2; 1 would be right"),
        ("models: {}", "models: no such key; there is version, routes and security"),
        ("callback: http://x/y", "callback: the admin API does not set it"),
        ("routes: [{path: /x}]", "routes.0.target: a text is needed"),
        ("routes: [{path: /x, target: 1}]", "routes.0.target: a text is needed"),
        ("routes: [{path: /x, target: h, cache: {}}]", "routes.0.cache: no such key"),
        ("routes: [{path: /x, target: h, methods: 1}]", "routes.0.methods: texts are needed"),
        ("security: [{auth: jwt}]", "security.0.endpoint: a text is needed"),
        ("security: [{endpoint: /x, rateLimit: fast}]", "security.0.rateLimit: a rate of at"),
        (
            "routes: [{path: /x, target: h, auth: jwt}]\nsecurity: [{endpoint: /x, auth: none}]",
            "routes and security disagree on auth of /x",
        ),
        (
            """
routes: [{path: /x, target: h, rateLimit: 1}]
security: [{endpoint: /x, rateLimit: fast}]
""",
            "routes and security disagree on rateLimit of /x",
        ),
    ],
)
def test_what_cannot_be_applied_is_told(tmp_path, text, problem) -> None:
    """Nothing is left out silently."""
    with pytest.raises(ValueError, match=re.escape(problem)):
        wanted(tmp_path, text)


def test_a_missing_file_is_told(tmp_path) -> None:
    """By its name."""
    with pytest.raises(ValueError, match="no readable file"):
        desired.read(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("entry", "there", "problem"),
    [
        ({"path": "/n", "auth": ["jwt"]}, [], "/n: no route has this path"),
        ({"path": "/s", "target": "http://a"}, [SERVED], "/s: a function serves it"),
        (
            {"path": "/x", "target": "http://b"},
            [{**PROXIED, "credentials": {"token": "***"}}],
            "/x: it has credentials; change",
        ),
        (
            {"path": "/x", "target": "http://b"},
            [PROXIED, {**PROXIED, "name": "y", "methods": ["GET"]}],
            "/x: several routes have this path",
        ),
    ],
)
def test_what_only_the_bundles_file_can_say_is_refused(entry, there, problem) -> None:
    """Before anything is done."""
    with pytest.raises(ValueError, match=problem):
        plan([entry], *there)


def test_a_route_is_found_by_its_name_where_it_is_said() -> None:
    """Of several on a path; another name is another route."""
    other = {**PROXIED, "name": "y", "methods": ["GET"]}
    entry = {"name": "y", "path": "/x", "target": "http://a", "methods": ["GET"]}
    assert [step.action for step in plan([entry], PROXIED, other)] == ["keep"]
    assert [step.action for step in plan([{**entry, "name": "z"}], PROXIED, other)] == ["add"]
    assert [step.action for step in plan([{"path": "/x", "auth": ["jwt"]}], PROXIED, other)] == [
        "secure"
    ]


@pytest.mark.parametrize(
    ("key", "one", "other", "same"),
    [
        ("rateLimit", 100, "100/min", True),
        ("rateLimit", 100, "100/s", False),
        ("rateLimit", None, 1, False),
        ("auth", "jwt", ["jwt"], True),
        ("methods", ["GET", "POST"], ["POST", "GET"], True),
        ("target", "http://a", "http://a", True),
        ("auth", None, None, True),
    ],
)
def test_what_means_the_same_is_no_change(key, one, other, same) -> None:
    """However it is written."""
    assert desired.same(key, one, other) is same


def run(*replies):
    """What replacing the targets of two routes sends, and how it ends."""
    sent = []

    def answer(request):
        body = json.loads(request.content)
        sent.append((request.method, request.headers["if-match"], body["target"]))
        return replies[len(sent) - 1]

    other = {**PROXIED, "name": "y", "path": "/y"}
    wanted = [{"path": path, "target": "http://b"} for path in ("/x", "/y")]
    steps = plan(wanted, PROXIED, other)
    transport = httpx.MockTransport(answer)
    with AI_Gateway("k", transport=transport, retrying=Retrying(retries=0)) as gateway:
        try:
            applying.run(gateway, steps, '"1"')
        except GatewayError as error:
            return sent, str(error)
    return sent, None


DONE = httpx.Response(200, json=PROXIED, headers={"etag": '"2"'})
LOST = httpx.Response(412, json={"error": {"message": "Changed."}})


def test_each_step_is_bound_to_the_version_before_it() -> None:
    """Who else changes the bundle meanwhile is not overwritten."""
    first, second = ("PUT", '"1"', "http://b"), ("PUT", '"2"', "http://b")
    assert run(DONE, DONE) == ([first, second], None)
    assert run(LOST) == ([first], "Changed.")
    assert run(DONE, LOST) == ([first, second], "Changed.")


def test_a_table_cannot_steer_the_terminal() -> None:
    """Control characters of what others wrote are question marks; numbers are short."""
    rows = [{"a": "x\x1b[31m", "b": 0.123456789, "c": {"k": ["v", 1]}}, {"a": None, "b": 2}]
    columns = ("a", "b", "c", "d")
    assert table(rows, columns) == (
        "A       B         C\nx?[31m  0.123457  k=v, 1\n-       2         -\n"
    )

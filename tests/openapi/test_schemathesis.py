"""Every route against the document, by schemathesis: no 5xx, and nothing that is not told.

``pytest tests/openapi/test_schemathesis.py -k every_route --fuzz 240`` looks for more, and for
others each time, for so many seconds.
"""

from __future__ import annotations

import io
import sys
from typing import Any

import flask
import pytest

schemathesis = pytest.importorskip("schemathesis")  # which wants Python 3.11

from tests.openapi.fuzzing import configuration, run  # noqa: E402 - needs it too

pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")  # long reprs

POLICY = {
    "version": 1,
    "name": "words",
    "checks": [
        {
            "name": "w",
            "type": "phrases",
            "stages": ["input"],
            "action": "block",
            "phrases": ["xyzzy"],
        }
    ],
}


@pytest.mark.timeout(1_200)  # on a machine that is busy with other things; alone it takes 35 s
def test_every_route_does_what_the_document_says(whole, request, capsys) -> None:
    """Whatever is sent, the answer is one that the document tells, and the gateway never fails."""
    seconds = request.config.getoption("--fuzz", 0)
    app, headers = whole.gateway.client.application, whole.gateway.headers
    found = run(app, headers, configuration(50 if seconds else 2, seconds))
    if seconds:
        with capsys.disabled():
            sys.stdout.write(f"\n{found.asked.total()} requests, answered {found.answered}\n")
    assert not found.wrong, "\n".join(found.wrong)
    told = {
        f"{method.upper()} {path}"
        for path, item in whole.document()["paths"].items()
        for method in item
    }
    assert told - set(found.asked) <= {"GET /openapi.json"}  # which is asked for before all else
    assert {200, 201, 400, 404, 405, 409, 415, 428} <= set(found.answered)


def test_an_application_that_does_something_else_is_found_out() -> None:
    """A failure, a status and a body that the document does not tell are three findings."""
    app = flask.Flask("liar")
    answers = {"fails": ("{}", 500), "another": ("{}", 202), "shape": ('{"ok": 1}', 200)}
    yes = {"type": "object", "properties": {"ok": {"type": "boolean"}}}
    content = {"application/json": {"schema": yes}}
    operation = {"responses": {"200": {"description": "", "content": content}}}

    @app.get("/openapi.json")
    def document() -> dict[str, Any]:
        paths = {f"/{name}": {"get": operation} for name in answers}
        return {"openapi": "3.1.1", "info": {"title": "", "version": ""}, "paths": paths}

    @app.get("/<name>")
    def answer(name: str) -> Any:
        body, status = answers[name]
        return flask.Response(body, status, content_type="application/json")

    wrong = "\n".join(run(app, {}, configuration(1)).wrong)
    for name, check in (
        ("fails", "not_a_server_error"),
        ("another", "status_code_conformance"),
        ("shape", "response_schema_conformance"),
    ):
        assert f"GET /{name}: {check}" in wrong


#: Method, path as the document has it, path parameters, more of the request, the status.
WALK: list[tuple[str, str, dict[str, str], dict[str, Any], int]] = [
    ("PUT", "/api/v1/policies/{name}", {"name": "words"}, {"body": POLICY}, 201),
    ("PUT", "/api/v1/policies/{name}", {"name": "words"}, {"body": POLICY, "tag": "*"}, 200),
    ("GET", "/api/v1/policies/{name}", {"name": "words"}, {}, 200),
    ("DELETE", "/api/v1/policies/{name}", {"name": "words"}, {"tag": "*"}, 204),
    ("POST", "/api/v1/routes", {}, {"body": {"path": "/x", "target": "http://127.0.0.1:9"}}, 201),
    ("GET", "/api/v1/routes/{name}", {"name": "x"}, {}, 200),
    ("PUT", "/api/v1/security/{endpoint}", {"endpoint": "x"}, {"body": {"authType": "jwt"}}, 400),
    ("PUT", "/api/v1/security/{endpoint}", {"endpoint": "x"}, {"body": {"rateLimit": 9}}, 200),
    ("DELETE", "/api/v1/routes/{name}", {"name": "x"}, {"tag": '"of another"'}, 412),
    ("DELETE", "/api/v1/routes/{name}", {"name": "x"}, {}, 428),
    ("DELETE", "/api/v1/routes/{name}", {"name": "x"}, {"tag": "*"}, 204),
    ("POST", "/api/v1/reload", {}, {"body": {}}, 200),
    ("POST", "/api/v1/versions", {}, {"body": {"number": 0}}, 409),
    ("POST", "/api/v1/erasures", {}, {"body": {"rater": "ann"}}, 200),
    ("GET", "/api/v1/erasures", {}, {"query": {"rater": "ann"}}, 200),
    ("GET", "/api/v1/exports", {}, {"query": {"rater": "ann"}}, 200),
    ("GET", "/api/v1/audit", {}, {"query": {"limit": 3}}, 200),
    ("GET", "/api/v1/requests", {}, {"query": {"limit": 3, "outcome": "refused"}}, 200),
    ("GET", "/api/v1/requests", {}, {"query": {"since": 0}}, 400),
    ("GET", "/api/v1/requests/{id}", {"id": "0" * 32}, {}, 404),
    ("GET", "/api/v1/metrics", {}, {"query": {"type": "latency"}}, 200),
    ("GET", "/v2/models/{name}/ready", {"name": "iris"}, {}, 200),
    ("GET", "/v1/models/{name}", {"name": "model-a"}, {}, 200),
    ("GET", "/docs/{file}", {"file": "explorer.js"}, {}, 200),
    ("GET", "/docs/{file}", {"file": "index.html"}, {}, 404),
]


def test_what_works_is_told_as_it_is(whole) -> None:
    """The changes that an administrator makes, one after another, each by the document."""
    app, headers = whole.gateway.client.application, whole.gateway.headers
    document = schemathesis.openapi.from_wsgi("/openapi.json", app, headers=headers)
    for method, path, parameters, more, status in WALK:
        case = document[path][method].Case(
            path_parameters=parameters,
            query=more.get("query", {}),
            headers={"If-Match": more["tag"]} if "tag" in more else {},
            **({"body": more["body"], "media_type": "application/json"} if "body" in more else {}),
        )
        reply = case.call_and_validate(headers={**headers, "Content-Type": "application/json"})
        assert reply.status_code == status, (method, path, reply.text)


def test_the_life_of_a_key_is_told_as_it_is(whole) -> None:
    """Issued, listed, shown, followed by another, ended."""
    app, headers = whole.gateway.client.application, whole.gateway.headers
    document = schemathesis.openapi.from_wsgi("/openapi.json", app, headers=headers)

    def call(method: str, path: str, body: Any = None, **parameters: str) -> dict[str, Any]:
        given = {} if body is None else {"body": body, "media_type": "application/json"}
        case = document[path][method].Case(path_parameters=parameters, **given)
        sent = {**headers, "Content-Type": "application/json"}
        found: dict[str, Any] = case.call_and_validate(headers=sent).json()
        return found

    made = call("POST", "/api/v1/keys", {"name": "a", "scopes": ["audit"], "expires_in": "1d"})
    assert made["key"]
    one = {"id": made["id"]}
    assert call("GET", "/api/v1/keys")["data"][0]["id"] == made["id"]
    assert "key" not in call("GET", "/api/v1/keys/{id}", **one)
    assert call("POST", "/api/v1/keys/{id}/rotate", {"overlap": "1h"}, **one)["key"]
    assert call("DELETE", "/api/v1/keys/{id}", **one)["status"] == "revoked"


@pytest.mark.parametrize(
    ("path", "fields", "kind"),
    [
        ("/v1/audio/transcriptions", {"file": b"1"}, "application/json"),
        ("/v1/audio/transcriptions", {"file": b"1", "stream": "true"}, "text/event-stream"),
        ("/v1/audio/translations", {"file": b"1", "response_format": "text"}, "text/plain"),
        ("/v1/images/edits", {"image": b"1", "prompt": "a"}, "application/json"),
        ("/v1/images/variations", {"image": b"1"}, "application/json"),
    ],
)
def test_forms_are_answered_as_told(whole, path, fields, kind) -> None:
    """A form with a file is answered with 200, in a type that the document has."""
    data = {
        name: (io.BytesIO(value), "f.bin") if isinstance(value, bytes) else value
        for name, value in fields.items()
    }
    reply = whole.gateway.client.post(path, data=data, headers=whole.gateway.headers)
    assert (reply.status_code, reply.mimetype) == (200, kind), reply.text
    told = whole.document()["paths"][path]["post"]["responses"]["200"]["content"]
    assert kind in told or f"{kind.partition('/')[0]}/*" in told


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
def test_streams_are_told(whole, path) -> None:
    """What an operation answers with ``stream`` is a type that the document has."""
    operation = whole.document()["paths"][path]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    reply = whole.gateway.client.post(
        path, json={**example, "stream": True}, headers=whole.gateway.headers
    )
    assert reply.mimetype == "text/event-stream"
    assert reply.mimetype in operation["responses"]["200"]["content"]
    assert reply.get_data().endswith(b"\n\n")

"""Recorded requests, and how they are asked for."""

from __future__ import annotations

from typing import Any

import pytest

from ai_gateway.contract import Caller, Event
from ai_gateway.manifest.model import Job

PATH = "/api/v1/requests"


ROUTES = """
  - path: /inference
    function: functions.inference:handle
    auth: api-key
    routing: {models: [model-a, model-b], explore: 1}
  - {path: /second, function: "functions.inference:handle", auth: api-key, name: second}
  - {path: /secret, function: "functions.inference:handle", auth: api-key, privacy: hashed}
  - {path: /feedback, function: "functions.feedback:handle", auth: api-key}
  - {path: /api/v1/keys, function: "functions.admin.key_issue:handle", auth: api-key}
  - path: /api/v1/requests
    methods: [GET]
    function: functions.admin.requests:handle
    auth: api-key
  - path: /api/v1/requests/{id}
    methods: [GET]
    function: functions.admin.request:handle
    auth: api-key
jobs:
  - {name: judge-tick, function: "functions.judge_tick:handle", every: 1m}
"""


WORDS = """
version: 1
name: words
checks:
  - {name: w, type: phrases, stages: [input], action: block, phrases: [xyzzy]}
"""


TICK = Job(name="judge-tick", function="functions.judge_tick:handle", every="1m")


def administrators(gateway, identity: str) -> Event:
    """The administrator's question for one request, as a function gets it."""
    return Event(
        request_id="r",
        route=gateway.snapshot.bundle.manifest.routes[0],
        method="GET",
        path=PATH,
        received_at=0.0,
        path_parameters={"id": identity},
        caller=Caller(id="a", scheme="api-key", admin=True),
    )


@pytest.fixture
def gateway(start):
    """Two routes with two models, and a policy."""
    return start(ROUTES, policies={"words": WORDS})


def issue(gateway, **asked: Any) -> dict[str, str]:
    """A new key's header; it may read records unless ``asked`` says else."""
    said = {"name": "n", "scopes": ["records"], **asked}
    reply = gateway.client.post("/api/v1/keys", json=said, headers=gateway.headers)
    assert reply.status_code == 201, reply.text
    return {"X-API-Key": reply.json["key"]}


def ask(gateway, headers=None, path="/inference", **more: Any) -> str:
    """The id of a question."""
    body = {"inputs": "What is a monad?", **more}
    reply = gateway.client.post(path, json=body, headers=headers or gateway.headers)
    return str(reply.headers["x-request-id"])


def read(gateway, headers=None, path=PATH, **query: Any):
    """The reply to a reader."""
    return gateway.client.get(path, query_string=query, headers=headers or gateway.headers)


def ids(reply) -> list[str]:
    """What a list has, in its order."""
    assert reply.status_code == 200, reply.text
    return [row["request_id"] for row in reply.json["data"]]


def answered(reply) -> list[str]:
    """What a list has beside refused readings, which are requests as well; sorted."""
    assert reply.status_code == 200, reply.text
    rows = [row for row in reply.json["data"] if not row["path"].startswith(PATH)]
    return sorted(row["request_id"] for row in rows)


def bounded(gateway) -> tuple[dict[str, str], list[str]]:
    """Requests of two tenants, and those of them that are acme's, oldest first."""
    mine, theirs = issue(gateway, tenant="acme"), issue(gateway, tenant="rival")
    found = []
    for path, model in (("/inference", "model-a"), ("/second", "model-b")):
        found.append(ask(gateway, mine, path, model_name=model))
        ask(gateway, theirs, path, model_name=model)
        ask(gateway, path=path)
    found.append(ask(gateway, mine, inputs="say xyzzy"))
    return mine, found

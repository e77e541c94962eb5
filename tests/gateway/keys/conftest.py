"""A gateway that issues keys, and another process of it."""

from __future__ import annotations

import pytest

from tests.conftest import KEY

ROUTES = """
  - path: /inference
    function: functions.inference:handle
    auth: api-key
    guardrails: []
    routing: {models: [model-a, model-b], explore: 1}
  - path: /v1/chat/completions
    function: functions.v1.chat_completions:handle
    auth: api-key
    guardrails: []
    routing: {models: [model-a, model-b], explore: 1}
  - path: /limited
    methods: [GET]
    function: functions.ping:handle
    auth: api-key
    rateLimit: 2/hour
  - {path: /ping, methods: [GET], function: "functions.ping:handle", auth: none}
  - {path: /metrics, methods: [GET], function: "functions.metrics:handle", auth: api-key}
"""


for path, function in (("/v1/models", "v1.models"), ("/v1/models/{name}", "v1.model")):
    ROUTES += f"""
  - path: {path}
    methods: [GET]
    function: functions.{function}:handle
    auth: api-key
"""


KEYS = "".join(
    f"""
  - path: {path}
    name: {name}
    methods: [{method}]
    function: functions.admin.{function}:handle
    auth: api-key
    scopes: keys
"""
    for path, name, method, function in (
        ("/api/v1/keys", "keys", "GET", "keys"),
        ("/api/v1/keys", "keys-issue", "POST", "key_issue"),
        ("/api/v1/keys/{id}", "key", "GET", "key"),
        ("/api/v1/keys/{id}", "key-revoke", "DELETE", "key_revoke"),
        ("/api/v1/keys/{id}/rotate", "key-rotate", "POST", "key_rotate"),
    )
)


ADMIN = {"X-API-Key": KEY}


@pytest.fixture
def gateway(start):
    """Two models, keys, and no policy."""
    return start(ROUTES + KEYS)


def issue(gateway, by=ADMIN, **asked):
    """The reply to a request for a key."""
    return gateway.client.post("/api/v1/keys", json={"name": "a key", **asked}, headers=by)


def key(gateway, by=ADMIN, **asked):
    """The headers of a new key."""
    reply = issue(gateway, by, **asked)
    assert reply.status_code == 201, reply.text
    return {"X-API-Key": reply.json["key"]}


def ask(gateway, headers, path="/inference", **more):
    """A question with a key."""
    return gateway.client.post(path, json={"inputs": "What is GRPO?", **more}, headers=headers)


def code(reply):
    """The status of an error, and its code."""
    return reply.status_code, reply.json["error"]["code"]

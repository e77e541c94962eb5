"""A policy that redacts requests, one that redacts answers, and an echo for a model."""

import json

import pytest

CHAT = "/v1/chat/completions"


ROUTES = """
  - path: /v1/chat/completions
    function: functions.v1.chat_completions:handle
    auth: api-key
    CACHE
  - {path: /v1/messages, function: "functions.v1.messages:handle", errors: anthropic, auth: api-key}
  - {path: /v1/responses, function: "functions.v1.responses:handle", auth: api-key}
  - {path: /v1/completions, function: "functions.v1.completions:handle", auth: api-key}
  - {path: /v1/images/edits, function: "functions.v1.images_edits:handle", auth: api-key}
  - {path: "/v2/models/{name}/infer", function: "functions.v2.infer:handle", auth: api-key}
  - {path: /inference, function: "functions.inference:handle", auth: api-key}
"""


CODE_NAME = "Project Titan"


def policies(stages="[input, system, tool]", more=""):
    """A policy that redacts a code name in texts of ``stages``."""
    return {
        "names": f"""
version: 1
name: names
{more}
checks:
  - {{name: code-name, type: phrases, stages: {stages}, action: redact, phrases: [{CODE_NAME}]}}
"""
    }


@pytest.fixture
def gateway(start):
    """What callers say is redacted."""
    return start(ROUTES.replace("CACHE", ""), policies=policies())


@pytest.fixture
def answers(start):
    """What models say is redacted."""
    return start(ROUTES.replace("CACHE", ""), policies=policies("[output]"))


def post(gateway, path, **body):
    """One request with the administrator's key."""
    body = {"model": "model-a", **body}
    return gateway.client.post(path, json=body, headers=gateway.headers)


def told(text):
    """Messages of one user."""
    return [{"role": "user", "content": text}]


def sent(gateway) -> str:
    """The last body that a model got."""
    return json.dumps(gateway.simulator.requests[-1].body)


def held(row) -> str:
    """What a row holds beside the verdicts, whose rule is the operator's own phrase."""
    return str({**row, "verdicts": None})


ASKED = f"What is {CODE_NAME}?"


#: What the stand-in says, who got a placeholder.
SAID = "say=You asked of [CODE_NAME_1], I think"


TOLD = f"You asked of {CODE_NAME}, I think"


@pytest.fixture(autouse=True)
def echo(simulator):
    """The model repeats the placeholder that it got."""
    simulator.faults["model-a"] = SAID


PROXY = """
  - path: /up
    target: TARGET
    methods: [GET, POST]
    auth: api-key
    credentials: {token: of-the-target}
"""


@pytest.fixture
def proxy(start, simulator):
    """A target that is the stand-in's first endpoint."""
    target = f"{simulator.url}/namespaces/serving-default/endpoints/model-a/v1"
    return start(PROXY.replace("TARGET", target), policies=policies("[input, output]"))

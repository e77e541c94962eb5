"""A gateway whose log lines, figures and spans a test can look at."""

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ai_gateway.settings import Settings
from ai_gateway.telemetry import logs
from runner import application
from tests.conftest import Gateway

CHAT = """
  - path: /v1/chat/completions
    function: functions.v1.chat_completions:handle
    auth: api-key
    guardrails: []
"""


@pytest.fixture
def lines(tmp_path) -> Iterator:
    """Logs into memory as a process would; gives what was written since, and undoes it all."""
    handlers = logging.getLogger().handlers[:]
    stream = io.StringIO()

    def written(**variables):
        if variables:
            settings = Settings.read(None, {"GATEWAY_DATA": str(tmp_path / "data"), **variables})
            assert logs.configure(settings, stream) is None
            return []
        found = stream.getvalue().splitlines()
        stream.seek(0)
        stream.truncate()
        return found

    yield written
    logging.getLogger().handlers[:] = handlers


@pytest.fixture
def told(lines):
    """The same as objects, of a process that logs JSON."""
    lines(GATEWAY_LOG_FORMAT="json")
    return lambda: [json.loads(line) for line in lines()]


def chat(gateway: Gateway, text="What is GRPO?", headers=None, **body):
    """A chat with a key of its own or the administrator's."""
    return gateway.client.post(
        "/v1/chat/completions",
        json={"messages": [{"role": "user", "content": text}], **body},
        headers={**gateway.headers, **(headers or {})},
    )


def traced(gateway: Gateway, tracing) -> Gateway:
    """``gateway`` with another way for its spans."""
    gateway.service.tracing = tracing
    snapshot = gateway.service.snapshot(gateway.snapshot.bundle)
    return replace(gateway, snapshot=snapshot, client=application(snapshot).test_client())

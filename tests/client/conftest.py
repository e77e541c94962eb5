"""Both clients, against a gateway in this process and against replies that a test writes."""

import asyncio
import inspect
import json
from dataclasses import dataclass, field

import httpx
import pytest

from ai_gateway import AI_Gateway, AsyncAI_Gateway
from ai_gateway.client.retrying import Retrying

KEY = "canary-key-of-tests"
URL = "http://gateway:8080"


@dataclass
class Script(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Gives one outcome after the other, and keeps what was sent and waited."""

    outcomes: list
    sent: list = field(default_factory=list)
    waits: list = field(default_factory=list)

    def handle_request(self, request) -> httpx.Response:
        self.sent.append(request)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return httpx.Response(outcome.status_code, headers=outcome.headers, content=outcome.content)

    async def handle_async_request(self, request) -> httpx.Response:
        return self.handle_request(request)

    def bodies(self) -> list:
        """Each request's method, path and body."""
        return [
            (sent.method, sent.url.raw_path.decode(), sent.content and json.loads(sent.content))
            for sent in self.sent
        ]


class Plain:
    """The asynchronous client, called as the other one: a test is written once for both."""

    def __init__(self, client) -> None:
        self._client = client

    def __getattr__(self, name):
        found = getattr(self._client, name)
        if name == "keys":
            return Plain(found)
        if not inspect.iscoroutinefunction(found):
            return found
        return lambda *args, **more: asyncio.run(found(*args, **more))


@pytest.fixture(params=["sync", "async"])
def scripted(request):
    """A client, sync and async, and the script that answers it."""

    def make(*outcomes, **more):
        script = Script(list(outcomes))
        given = {"url": URL, "transport": script, "retrying": Retrying(random=lambda: 0.5), **more}
        if request.param == "sync":
            return AI_Gateway(KEY, sleep=script.waits.append, **given), script

        async def sleep(seconds) -> None:
            script.waits.append(seconds)

        return Plain(AsyncAI_Gateway(KEY, sleep=sleep, **given)), script

    return make


def refusal(status, code="code", message="No.", **headers) -> httpx.Response:
    """As the gateway refuses."""
    body = {"error": {"message": message, "type": "t", "param": None, "code": code}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=body, headers={"x-request-id": "r-1", **named})

"""Limits and budgets of several gateway processes on one real Redis.

The numbers in brackets are of complaints about other gateways.
"""

import re
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.records import Records
from ai_gateway.settings import Settings
from ai_gateway.simulator import Simulator, variables
from tests.conftest import KEY, ROOT
from tests.limits.conftest import Redis

BUNDLE = """
version: 1
models:
  m:
    url: ${MODEL_A_URL}
    model_id: ${MODEL_A_ID}
    credentials: {token: "${MODEL_A_TOKEN}"}
    price: {input: 100, output: 1000}
    max_output_tokens: 300
routes:
  - path: /v1/chat/completions
    name: chat
    function: functions.v1.chat_completions:handle
    auth: api-key
  - path: /paid/chat/completions
    name: paid
    function: functions.v1.chat_completions:handle
    auth: api-key
limits:
  - {per: key, match: {routes: chat}, requests: 20/hour}
budgets:
  - {name: b, per: tenant, match: {routes: paid}, amount: 2, window: month}
"""
ASKED = {"messages": [{"role": "user", "content": "Hi?"}]}


@pytest.fixture(scope="module")
def redis():
    """A redis-server of these tests' own."""
    server = Redis()
    if not server.there:
        pytest.skip("there is no redis-server here")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the bundle, the records and the log are."""
    found = tmp_path_factory.mktemp("limits")
    (found / "bundle" / "policies").mkdir(parents=True)
    (found / "bundle" / "routes.yaml").write_text(BUNDLE)
    return found


@pytest.fixture(scope="module")
def url(redis, folder):
    """A gateway of two processes, whose budgets have been counted."""
    with Simulator().start() as simulator, (folder / "log").open("w") as log:
        environment = {
            **Settings.read().variables,
            **variables(simulator.url),
            "AI_GATEWAY_API_KEY": KEY,
            "GATEWAY_DATA": str(folder / "data"),
            "GATEWAY_STATE": redis.url,
        }
        command = [sys.executable, "runner.py", "serve", "--workers", "2", "--port", "0"]
        process = subprocess.Popen(
            [*command, "--bundle", str(folder / "bundle")],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found, (folder / "log").read_text()
        until(lambda: ask(found[0], "/paid/chat/completions").status_code == 200)
        yield found[0]
        process.terminate()
        process.communicate()


def until(true) -> None:
    """Wait for it, at most thirty seconds."""
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def ask(url, path="/v1/chat/completions", **more):
    """A question on a connection of its own, so that either process may answer."""
    headers = {"X-API-Key": KEY}
    return httpx.post(f"{url}{path}", json={**ASKED, **more}, headers=headers, timeout=30)


def crowd(count, *arguments, **more) -> Counter:
    """How often each status was answered to so many at once."""
    with ThreadPoolExecutor(count) as pool:
        asked = [pool.submit(ask, *arguments, **more) for _ in range(count)]
        return Counter(each.result().status_code for each in asked)


def spent(folder) -> float:
    """What the budget's route has spent by the records, once all of them were moved."""
    time.sleep(6)
    data = str(folder / "data")
    with Records.open(data, folder / "wal", SystemClock(), background=False) as records:
        found = records.scan("requests", ["cost"], where=[("route", "==", "paid")])
        return sum(cost or 0 for cost in found["cost"].to_pylist())


def test_exactly_the_limit_passes(url) -> None:
    """However many processes count, they count together (36, 37, 43)."""
    assert crowd(60, url) == {200: 20, 429: 40}


def test_streams_never_exceed_a_budget(url, folder, redis) -> None:
    """Nor after Redis lost everything: nothing passes until it is counted again (39, 41)."""
    while crowd(40, url, "/paid/chat/completions", stream=True)[200]:
        pass
    assert 1 < spent(folder) <= 2

    asked = []
    client = openai.OpenAI(
        base_url=f"{url}/paid",
        api_key=KEY,
        http_client=httpx.Client(event_hooks={"request": [asked.append]}),
    )
    with pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(model="m", **ASKED)
    assert refused.value.code == "budget_exceeded"
    assert len(asked) == 1
    client.close()

    redis.stop()
    began = time.monotonic()
    reply = ask(url, "/paid/chat/completions")
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "limits_unavailable")
    assert time.monotonic() - began < 3
    redis.start()
    codes = set()

    def counted() -> bool:
        codes.add(ask(url, "/paid/chat/completions").status_code)
        return 429 in codes

    until(counted)
    assert codes == {503, 429}
    assert spent(folder) <= 2

"""What a whole gateway tells of, and what it does not."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from ai_gateway import jobs
from ai_gateway.manifest.model import Job
from ai_gateway.reload import Reloader
from runner import application
from tests.conftest import ROOT
from tests.webhooks.conftest import OTHER, SECRET

CANARY = "canary-7f3a-of-the-prompt"
ADMIN = "".join(
    f'  - {{path: "{path}", name: {name}, methods: [{method}], auth: api-key,'
    f' function: "functions.admin.{function}:handle"}}\n'
    for name, path, method, function in (
        ("issue", "/api/v1/keys", "POST", "key_issue"),
        ("rotate", "/api/v1/keys/{id}/rotate", "POST", "key_rotate"),
        ("revoke", "/api/v1/keys/{id}", "DELETE", "key_revoke"),
    )
)
ROUTES = f"""
  - path: /inference
    function: functions.inference:handle
    auth: api-key
    max_body: 1000
  - path: /limited
    function: functions.inference:handle
    auth: api-key
    rateLimit: 1/hour
  - path: /open
    function: functions.inference:handle
    auth: none
{ADMIN}
"""
BLOCK = """
version: 1
name: words
checks:
  - {name: bad, type: phrases, stages: [input], phrases: [forbidden-word], action: block}
"""


@pytest.fixture
def begin(start, receiver):
    """Starts a gateway whose bundle has a callback; ``tail`` is what stands at the file's end."""

    def run(tail="", routes=ROUTES, url=receiver.url, **more):
        end = f"callback: {url}\nallowed_hosts: [127.0.0.0/8]\n{tail}"
        return start(routes + end, GATEWAY_WEBHOOK_SECRET=SECRET, **more)

    return run


def told(receiver, *kinds: str, count: int = 1) -> list[dict]:
    """The events of these kinds, once so many are there; each of them verified."""
    end = time.monotonic() + 10
    while len(receiver.events(*kinds)) < count and time.monotonic() < end:
        time.sleep(0.01)
    for each in receiver.received:
        each.verified()
    found: list[dict] = receiver.events(*kinds)
    return found


def test_a_request_that_is_over_is_told_of(begin, receiver) -> None:
    """With ids, outcome and figures, and nothing of what was said."""
    gateway = begin()
    reply = gateway.ask(f"What is a {CANARY}?")
    (event,) = told(receiver, "request.completed")
    (row,) = gateway.rows()
    assert event["request_id"] == reply.headers["x-request-id"] == row["request_id"]
    assert (event["route"], event["tenant"]) == ("inference", "default")
    data = event["data"]
    assert data == {
        "status": 200,
        "error": None,
        "surface": "inference",
        "model": row["served"],
        "latency_ms": data["latency_ms"],
        "input_tokens": row["input_tokens"],
        "output_tokens": row["output_tokens"],
        "cost": row["cost"],
        "cache": "off",
    }
    assert data["latency_ms"] > 0
    whole = json.dumps([[dict(each.headers), each.event] for each in receiver.received])
    assert CANARY not in whole
    assert row["output"] not in whole
    assert gateway.key not in whole
    assert SECRET not in whole


def test_a_refused_request_of_a_known_caller_is_told_of(begin, receiver) -> None:
    """One too many, and one that is too large."""
    gateway = begin()
    for _ in range(2):
        gateway.ask("What is GRPO?", path="/limited")
    gateway.ask("x" * 2000)
    events = told(receiver, "request.refused", count=2)
    assert {(each["route"], each["data"]["status"], each["data"]["error"]) for each in events} == {
        ("limited", 429, "rate_limit_exceeded"),
        ("inference", 413, "too_large"),
    }


def test_who_knows_no_key_has_nobody_called(begin, receiver) -> None:
    """Else anybody could have the receiver flooded; the records tell of it all the same."""
    gateway = begin()
    for _ in range(3):
        assert gateway.client.post("/inference", json={"inputs": "x"}).status_code == 401
    gateway.client.post(
        "/open", json={"inputs": "What is GRPO?"}
    )  # where all are let in, all count
    told(receiver, "request.completed")
    assert [each["route"] for each in receiver.events()] == ["open"]
    assert len(gateway.rows()) == 4


def test_a_failed_request_is_told_of(begin, receiver) -> None:
    """A model that is away is the gateway's own failure."""
    gateway = begin()
    gateway.simulator.stop()
    assert gateway.ask("What is GRPO?").status_code >= 500
    (event,) = told(receiver, "request.failed")
    assert event["data"]["error"] == "upstream_unreachable"


def test_a_blocked_request_is_told_of(begin, receiver) -> None:
    """By which check of which policy; not by which of its rules, which may be the word itself."""
    gateway = begin(policies={"words": BLOCK})
    assert gateway.ask("a forbidden-word here").status_code == 403
    (event,) = told(receiver, "guardrail.blocked")
    assert event["data"] == {
        "status": 403,
        "checks": [{"policy": "words", "check": "bad", "stage": "input"}],
    }
    (refused,) = told(receiver, "request.refused")
    assert refused["data"]["error"] == "policy_violation"
    assert all(b"forbidden-word" not in each.body for each in receiver.received)


def test_a_route_may_have_a_receiver_and_a_secret_of_its_own(begin, receiver) -> None:
    """In place of the bundle's."""
    route = f"""
  - path: /inference
    function: functions.inference:handle
    auth: api-key
    callback: {{url: "{receiver.url.replace("hook", "own")}", secret: {OTHER}}}
"""
    gateway = begin(routes=route)
    gateway.ask("What is GRPO?")
    receiver.wait(1)
    (came,) = receiver.received
    assert came.path == "/own?a=b"
    assert came.verified(OTHER)["route"] == "inference"


def test_a_bundle_without_a_callback_loads_and_tells_nothing(start) -> None:
    """No thread, no folder, and nothing asked on a request's way but whether there is one."""
    gateway = start(ROUTES)
    gateway.ask("What is GRPO?")
    assert gateway.service.webhooks is None
    assert gateway.snapshot.context.webhooks is None
    assert gateway.service.audit.listener is None
    assert not (gateway.service.settings.wal / "webhooks").exists()


def test_a_start_loads_nothing_of_it() -> None:
    """What sends is imported where a bundle has a callback."""
    code = "import runner, sys; print([name for name in sys.modules if 'webhooks.hooks' in name])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_budgets_are_told_of_once_a_window(begin, receiver) -> None:
    """At the soft share, and when a call is refused; whichever process tells it, by the same id."""
    budgets = "budgets: [{name: small, per: tenant, amount: 0.01, window: day, soft: 0.1}]\n"
    routes = """
  - path: /inference
    function: functions.inference:handle
    auth: api-key
    routing: {models: paid}
"""
    model = """  paid:
    url: ${MODEL_A_URL}
    model_id: ${MODEL_A_ID}
    credentials: {token: "${MODEL_A_TOKEN}"}
    max_output_tokens: 100
    price: {input: 10.0, output: 40.0}
"""
    gateway = begin(budgets, routes, models=model)
    statuses = [gateway.ask("What is GRPO?").status_code for _ in range(20)]
    assert statuses[-2:] == [429, 429]
    (soft,) = told(receiver, "budget.soft")
    (hard,) = told(receiver, "budget.hard")
    assert soft["data"]["amount"] == 0.01
    assert 0.001 <= soft["data"]["spent"] <= 0.01
    assert hard["data"] == {**soft["data"], "spent": None}
    assert (hard["data"]["budget"], hard["data"]["of"]) == ("small", "tenant default")
    assert hard["tenant"] == "default"
    assert hard["data"]["until"] > time.time()
    told(receiver, "request.refused", count=statuses.count(429))
    assert len(receiver.events("budget.soft", "budget.hard")) == 2


def test_keys_are_told_of_by_their_ids(begin, receiver) -> None:
    """Issued, rotated, revoked; what was refused is not, and no event holds a key's text."""
    gateway = begin()
    gateway.service.keys.refresh()

    def call(method, path, body=None):
        return gateway.client.open(path, method=method, json=body or {}, headers=gateway.headers)

    made = call("POST", "/api/v1/keys", {"name": "ci", "tenant": "acme"}).json
    rotated = call("POST", f"/api/v1/keys/{made['id']}/rotate").json
    call("DELETE", f"/api/v1/keys/{rotated['id']}")
    call("POST", "/api/v1/keys", {"name": "ci", "routes": ["no-such-route"]})
    events = told(receiver, "key.issued", "key.rotated", "key.revoked", count=3)
    found = [(each["type"], each["tenant"], each["data"]["object"]) for each in events]
    assert found == [
        ("key.issued", "acme", made["id"]),
        ("key.rotated", "acme", made["id"]),
        ("key.revoked", "acme", rotated["id"]),
    ]
    assert events[1]["data"]["new_key_id"] == rotated["id"]
    whole = json.dumps(receiver.events())
    assert made["key"] not in whole
    assert rotated["key"] not in whole


def test_a_bundle_is_told_of_when_it_changes_and_when_it_is_refused(begin, receiver) -> None:
    """And a changed callback is told by its new address from then on."""
    gateway = begin()
    app, path = gateway.client.application, gateway.service.settings.bundle / "routes.yaml"

    def swap(bundle) -> None:
        app.wsgi_app.app = application(gateway.service.snapshot(bundle)).wsgi_app

    reloader = Reloader(gateway.service, gateway.snapshot.bundle, swap, every=3600)
    good = path.read_text()
    path.write_text(good + "colour: red\n")
    assert not reloader.reload()
    (refused,) = told(receiver, "bundle.refused")
    assert refused["data"]["outcome"] == "invalid_bundle"
    path.write_text(good.replace("/hook", "/moved"))
    assert reloader.reload()
    (changed,) = told(receiver, "bundle.changed")
    assert changed["data"]["action"] == "bundle.reload"
    assert receiver.received[-1].path == "/moved?a=b"
    path.write_text(good.replace(f"callback: {receiver.url}\n", ""))
    assert reloader.reload()
    gateway.ask("What is GRPO?")
    assert gateway.service.webhooks is not None
    assert not receiver.events("request.completed")


def test_published_scores_are_told_of(begin, receiver) -> None:
    """By the job that publishes them; the judge's own calls are nobody's requests."""
    gateway = begin()
    for model in ("model-a", "model-b"):
        gateway.ask("What is a Finite State Machine?", model_name=model)
    told(receiver, "request.completed", count=2)
    tick = Job(name="judge-tick", function="functions.judge_tick:handle", every="1m")
    code, reply = jobs.tick(gateway.service, gateway.snapshot, tick)
    assert code == jobs.DONE
    (event,) = told(receiver, "weights.published")
    assert event["data"] == {
        "weights_id": reply.body["weights_id"],
        "scores": reply.body["weights"],
    }
    assert len(receiver.events()) == 3


def test_a_receiver_that_is_away_costs_the_requests_nothing(begin, receiver) -> None:
    """Each is answered as ever while nothing is taken."""
    gateway = begin(url="http://127.0.0.1:9/")
    assert [gateway.ask("What is GRPO?").status_code for _ in range(5)] == [200] * 5
    waiting = gateway.service.metrics.registry.get_sample_value(
        "ai_gateway_webhook_events_waiting", {"callback": "(bundle)"}
    )
    assert waiting == 5


def test_a_stream_is_told_of_when_it_is_over(begin, receiver) -> None:
    """With what it came to."""
    routes = '  - {path: /v1/chat/completions, function: "functions.v1.chat_completions:handle", '
    gateway = begin(routes=f"{routes}auth: api-key}}\n")
    body = {"model": "model-a", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    with gateway.client.post("/v1/chat/completions", json=body, headers=gateway.headers) as reply:
        assert not receiver.received
        assert b"[DONE]" in reply.data
    (event,) = told(receiver, "request.completed")
    assert event["data"]["output_tokens"] > 0

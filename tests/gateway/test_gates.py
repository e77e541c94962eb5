"""A model gets as many calls at once as declared; others wait, or are told to come again."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from ai_gateway.hosting.arrival import Arrival
from ai_gateway.reload import Reloader
from runner import application

ROUTE = """
  - path: /inference
    function: functions.inference:handle
    auth: api-key
    guardrails: []
  - path: /v1/chat/completions
    function: functions.v1.chat_completions:handle
    auth: api-key
    guardrails: [{policies}]
"""
POLICIES = {
    "answers": """
version: 1
name: answers
checks:
  - {name: words, type: phrases, stages: [output], action: block, phrases: [plugh]}
""",
}
ONE = "    concurrency: {limit: 1, queue: 0}\n"
WAITING = "    concurrency: {limit: 1, queue: 9, wait: 5s}\n"
STREAM = {"model": "model-a", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}


def busy(gateway) -> int:
    """The calls that model-a has at the moment."""
    return int(gauge(gateway, "ai_gateway_model_in_flight"))


def gauge(gateway, name) -> float:
    """A gauge of model-a."""
    value = gateway.service.metrics.registry.get_sample_value(name, {"model": "model-a"})
    return value or 0.0


def until(true) -> None:
    """Wait for it, at most three seconds."""
    end = time.monotonic() + 3
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def ask(gateway, cancel=None, **more):
    """A question to model-a from any thread, by a caller who may leave."""
    client = gateway.client.application.test_client()
    environ = {} if cancel is None else {"gateway.disconnected": cancel}
    body = {"inputs": "What is GRPO?", "model_name": "model-a", **more}
    return client.post("/inference", json=body, headers=gateway.headers, environ_overrides=environ)


def open_stream(gateway):
    """A stream of model-a that has begun."""
    client = gateway.client.application.test_client()
    reply = client.post("/v1/chat/completions", json=STREAM, headers=gateway.headers)
    assert reply.status_code == 200, reply.text
    chunks = iter(reply.response)
    next(chunks)
    return reply, chunks


@pytest.fixture
def one(start):
    """model-a takes one call, and nobody may wait."""
    return start(ROUTE.format(policies=""), models=ONE)


def test_past_limit_and_queue_the_caller_is_told_when_to_come_again(one, simulator) -> None:
    """503 with a code of its own and Retry-After; the row says that the model was not asked."""
    simulator.faults["model-a"] = "latency=0.5"
    with ThreadPoolExecutor() as pool:
        first = pool.submit(ask, one)
        until(lambda: busy(one) == 1)
        refused = ask(one)
        assert first.result().status_code == 200
    assert (refused.status_code, refused.json["error"]["code"]) == (503, "model_busy")
    assert int(refused.headers["retry-after"]) > 0
    assert simulator.counts["model-a"] == 1
    assert busy(one) == 0
    (row,) = [row for row in one.rows() if row["status"] == 503]
    (attempt,) = row["attempts"]
    assert (attempt["error"], attempt["endpoint"], attempt["status"]) == ("model_busy", None, None)


def test_in_the_queue_they_wait_for_their_turn(start, simulator) -> None:
    """All are answered, never two at once; the wait is no overhead of the gateway's."""
    gateway = start(ROUTE.format(policies=""), models=WAITING)
    simulator.faults["model-a"] = "latency=0.2"
    with ThreadPoolExecutor() as pool:
        replies = [pool.submit(ask, gateway) for _ in range(3)]
        until(lambda: gauge(gateway, "ai_gateway_model_queued") == 2)
        assert [reply.result().status_code for reply in replies] == [200] * 3
    rows = gateway.rows()
    waits = sorted(row["attempts"][0]["waited_ms"] for row in rows)
    assert waits[0] < 100 < waits[1] < waits[2]
    assert waits[2] > 350
    assert all(row["overhead_ms"] < 150 for row in rows)


def test_a_stream_keeps_its_place_to_its_end(one) -> None:
    """While it runs nobody else is let in; when all of it was read, the next one is."""
    _, chunks = open_stream(one)
    assert ask(one).status_code == 503
    list(chunks)
    assert busy(one) == 0
    assert ask(one).status_code == 200


def test_a_caller_who_leaves_a_stream_frees_its_place(one, simulator) -> None:
    """At once, not when the model would have ended."""
    simulator.faults["model-a"] = "chunk-delay=1"
    reply, _ = open_stream(one)
    assert busy(one) == 1
    reply.close()
    assert busy(one) == 0


@pytest.mark.parametrize("fault", ["late-error", "cut=mid-body", "no-done; cut=mid-body"])
def test_a_stream_that_breaks_frees_its_place(one, simulator, fault) -> None:
    """However a stream ends."""
    simulator.faults["model-a"] = fault
    _, chunks = open_stream(one)
    list(chunks)
    assert busy(one) == 0


@pytest.mark.parametrize("fault", ["status=500", "status=400", "cut=after-headers", "html"])
def test_a_failed_call_frees_its_place(one, simulator, fault) -> None:
    """However a call fails."""
    simulator.faults["model-a"] = fault
    assert ask(one).status_code in (400, 500, 502)
    assert busy(one) == 0


def test_a_stream_that_is_held_back_frees_its_place(start) -> None:
    """One that is checked as a whole is over before the first event goes out."""
    whole = {"answers": f"{POLICIES['answers']}stream: {{buffer: full}}\n"}
    gateway = start(ROUTE.format(policies="answers"), policies=whole, models=ONE)
    reply = gateway.client.post("/v1/chat/completions", json=STREAM, headers=gateway.headers)
    assert (reply.status_code, busy(gateway)) == (200, 0)


def test_who_finds_it_busy_may_be_answered_by_another(start, simulator) -> None:
    """A fallback is for a full queue too; the row tells both."""
    routes = ROUTE.format(policies="").replace(
        "    guardrails: []\n", "    guardrails: []\n    fallback: {models: model-b}\n", 1
    )
    gateway = start(routes, models=ONE)
    _, chunks = open_stream(gateway)
    reply = ask(gateway)
    assert (reply.status_code, reply.json["model"]) == (200, "model-b")
    list(chunks)
    row = next(row for row in gateway.rows() if row["surface"] == "inference")
    assert [(each["model"], each["error"]) for each in row["attempts"]] == [
        ("model-a", "model_busy"),
        ("model-b", None),
    ]
    labels = {"model": "model-a", "instead": "model-b"}
    registry = gateway.service.metrics.registry
    assert registry.get_sample_value("ai_gateway_fallbacks_total", labels) == 1


def test_a_caller_who_leaves_the_queue_is_recorded_at_once(start, simulator) -> None:
    """Its place in the queue goes to the next, and its row says how long it waited."""
    gateway = start(ROUTE.format(policies=""), models=WAITING)
    reply, _ = open_stream(gateway)
    arrival = Arrival()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(ask, gateway, arrival)
        until(lambda: gauge(gateway, "ai_gateway_model_queued") == 1)
        left = time.monotonic()
        arrival.leave()
        assert waiting.result().status_code == 499
        assert time.monotonic() - left < 1
    reply.close()
    row = next(row for row in gateway.rows() if row["surface"] == "inference")
    assert (row["status"], row["attempts"][0]["error"]) == (499, "client_closed_request")
    assert (row["served"], row["usage"]) == (None, None)  # no model had his request


def test_the_wait_ends_by_the_requests_own_deadline(start) -> None:
    """A route's timeout is shorter than the queue's patience."""
    routes = ROUTE.format(policies="").replace(
        "    guardrails: []\n", "    guardrails: []\n    timeout: 200ms\n", 1
    )
    gateway = start(routes, models=WAITING)
    reply, _ = open_stream(gateway)
    began = time.monotonic()
    assert ask(gateway).status_code == 503
    assert time.monotonic() - began < 2
    reply.close()


def test_a_gate_lives_on_while_the_bundle_is_reloaded(one) -> None:
    """What began before a reload counts after it; a limit that grew holds at once."""
    _, chunks = open_stream(one)
    folder = one.service.settings.bundle
    text = (folder / "routes.yaml").read_text()
    (folder / "routes.yaml").write_text(text.replace("limit: 1", "limit: 2"))
    reload(one)
    assert busy(one) == 1
    _, more = open_stream(one)
    assert (busy(one), ask(one).status_code) == (2, 503)
    list(chunks), list(more)
    assert busy(one) == 0


def reload(gateway) -> None:
    """Put what is on disk in force."""
    app = gateway.client.application

    def swap(bundle) -> None:
        app.wsgi_app.app = application(gateway.service.snapshot(bundle)).wsgi_app

    assert Reloader(gateway.service, gateway.snapshot.bundle, swap).reload()


def test_many_callers_never_exceed_the_limit(start, simulator) -> None:
    """Whatever the threads do, the gate holds, and everybody is answered or refused."""
    gateway = start(
        ROUTE.format(policies=""), models="    concurrency: {limit: 3, queue: 4, wait: 5s}\n"
    )
    simulator.faults["model-a"] = "latency=0.05"
    most, over = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.002):
            most = max(most, busy(gateway))

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(20) as pool:
        statuses = [reply.status_code for reply in pool.map(lambda _: ask(gateway), range(40))]
    over.set()
    watcher.join()
    assert set(statuses) <= {200, 503}
    assert statuses.count(200) == simulator.counts["model-a"]
    assert (most, busy(gateway)) == (3, 0)


FAULTS = (
    "",
    "latency=0.05",
    "status=500",
    "status=503-text",
    "status=401",
    "cut=mid-body",
    "cut=after-headers",
    "late-error",
    "chunk-delay=0.02",
)


def test_whatever_happens_no_place_is_kept(start, simulator) -> None:
    """Failures, retries, fallbacks, streams and leaving callers: in the end all is as before."""
    routes = ROUTE.format(policies="").replace(
        "    guardrails: []\n",
        "    guardrails: []\n    timeout: 2s\n    retries: {backoff: 5ms, attempts: 3}\n"
        "    fallback: {models: model-b}\n    shadow: {model: model-b, share: 0.3}\n",
    )
    models = """\
    concurrency: {limit: 2, queue: 3, wait: 200ms}
    breaker: {failures: 5, cooldown: 100ms}
    cold_start: {every: 10ms, at_most: 100ms}
    endpoints: [{url: "${MODEL_B_URL}", model_id: "${MODEL_B_ID}"}]
"""
    gateway = start(routes, models=models)

    def call(number: int):
        random = Random(number)
        for name in ("model-a", "model-b"):
            simulator.faults[name] = random.choice(FAULTS)
        arrival = Arrival()
        leaving = threading.Timer(random.uniform(0, 0.2), arrival.leave)
        if random.random() < 0.4:
            leaving.start()
        reply = gateway.client.application.test_client().post(
            "/v1/chat/completions",
            json={**STREAM, "stream": random.random() < 0.6},
            headers=gateway.headers,
            environ_overrides={"gateway.disconnected": arrival},
        )
        for _ in zip(reply.response, range(random.randrange(20)), strict=False):
            pass
        reply.close()
        leaving.cancel()
        return reply.status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = set(pool.map(call, range(150)))
    until(lambda: not gateway.service.aside.running)
    assert {200, 499} < statuses <= {200, 499, 500, 502, 503, 504}
    assert "internal_error" not in {row["error"] for row in gateway.rows()}
    turns = gateway.service.tries.turns
    assert [(gate.busy, gate.queued) for _, gate in turns.gates] == [(0, 0)]
    assert set(turns.balancer.flying().values()) == {0}
    assert len({row["request_id"] for row in gateway.rows()}) == len(gateway.rows())
    answered = [row for row in gateway.rows() if row["surface"] == "chat"]
    assert len(answered) == 150
    assert all(row["overhead_ms"] >= 0 for row in answered)

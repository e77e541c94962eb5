"""What /metrics says: counted where a decision is recorded, under the bundle's own names only."""

import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ai_gateway.answer.record import Attempt, Decision
from ai_gateway.contract import Event
from ai_gateway.formats import Usage
from ai_gateway.ids import new_id
from ai_gateway.manifest.model import Route
from ai_gateway.metrics import Metrics
from tests.telemetry.conftest import CHAT, chat

METRICS = (
    '  - {path: /metrics, methods: [GET], function: "functions.metrics:handle", auth: api-key}\n'
)


def samples(gateway):
    """Every sample by its name and labels, as Prometheus reads it."""
    text = gateway.client.get("/metrics", headers=gateway.headers).text
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(found, name, **labels):
    """One sample's value; None without it."""
    return found.get((name, *sorted(labels.items())))


@pytest.fixture
def gateway(start):
    """A chat route and the metrics."""
    return start(CHAT + METRICS)


def test_a_whole_answer_counts_its_attempt_its_tokens_and_its_cost(gateway) -> None:
    """What the row says is what is counted; a whole answer has no time to a first token."""
    assert chat(gateway, model="model-a").status_code == 200
    found, (row,) = samples(gateway), gateway.rows()
    assert of(found, "ai_gateway_model_attempts_total", model="model-a", outcome="ok") == 1
    for kind in ("input", "output"):
        count = of(found, "ai_gateway_model_tokens_total", model="model-a", kind=kind)
        assert count == row[f"{kind}_tokens"] > 0
    cost = of(found, "ai_gateway_model_cost_total", model="model-a")
    assert cost == pytest.approx(row["cost"])
    assert cost > 0
    assert not [key for key in found if "first_token" in key[0]]


def test_a_stream_is_counted_when_it_is_over(gateway) -> None:
    """Until then it is in flight; after it its tokens and its first token's time are there."""
    reply = chat(gateway, model="model-a", stream=True, headers={"x-gateway-test": "1"})
    assert reply.text.endswith("data: [DONE]\n\n")
    reply.close()
    found, (row,) = samples(gateway), gateway.rows()
    labels = {"route": "v1-chat-completions", "model": "model-a"}
    name = "ai_gateway_time_to_first_token_seconds"
    assert of(found, f"{name}_count", **labels) == 1
    assert of(found, f"{name}_sum", **labels) == pytest.approx(row["time_to_first_token_ms"] / 1000)
    output = of(found, "ai_gateway_model_tokens_total", model="model-a", kind="output")
    assert output == row["output_tokens"] > 0
    assert of(found, "ai_gateway_requests_in_flight") == 1  # the one that asks


def test_a_model_without_a_price_has_no_cost(gateway) -> None:
    """Nothing is counted as 0 that is not known."""
    chat(gateway, model="model-b")
    found = samples(gateway)
    assert of(found, "ai_gateway_model_tokens_total", model="model-b", kind="input")
    assert of(found, "ai_gateway_model_cost_total", model="model-b") is None


def test_failed_attempts_are_counted_by_their_error(start, simulator) -> None:
    """Each try counts by itself, those before a fallback too."""
    gateway = start(CHAT + "    retries: {attempts: 2, backoff: 1ms}\n" + METRICS)
    simulator.faults["model-a"] = "status=500; times=1"
    chat(gateway, model="model-a")
    found = samples(gateway)
    outcomes = {
        dict(key[1:])["outcome"]: value
        for key, value in found.items()
        if key[0] == "ai_gateway_model_attempts_total"
    }
    assert outcomes == {"upstream_error": 1, "ok": 1}


def test_a_target_that_fails_is_no_success(start, simulator) -> None:
    """What is proxied is passed on whatever its status, and counted by that."""
    base = f"{simulator.url}/namespaces/serving-default/endpoints/model-a/v1"
    route = f"  - {{name: old, path: /old, target: '{base}', methods: [GET, POST], auth: api-key,"
    route += " credentials: {token: any}}\n"
    gateway = start(route + METRICS)
    gateway.client.get("/old/nothing-here", headers=gateway.headers)
    simulator.faults["model-a"] = "status=500"
    gateway.client.post("/old/chat/completions", json={}, headers=gateway.headers)
    found = samples(gateway)
    for outcome in ("http_4xx", "http_5xx"):
        assert of(found, "ai_gateway_model_attempts_total", model="old", outcome=outcome) == 1


def test_a_cached_answer_uses_nothing(start) -> None:
    """Tokens and cost count once for two callers of whom one got what the other had asked for."""
    gateway = start(CHAT + "    cache: {ttl: 1h}\n" + METRICS)
    for _ in range(2):
        chat(gateway, model="model-a", temperature=0)
    found, rows = samples(gateway), gateway.rows()
    assert [row["cache"] for row in rows] == ["miss", "hit"]
    counted = of(found, "ai_gateway_model_tokens_total", model="model-a", kind="input")
    assert counted == rows[0]["input_tokens"]


def test_cached_and_reasoning_tokens_are_kinds_of_their_own() -> None:
    """They are parts of the input and of the output, so they are told apart."""
    metrics, decision = Metrics(), decided("model-a")
    metrics.decided(decision)
    tokens = {
        sample.labels["kind"]: sample.value
        for family in metrics.model_tokens.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }
    assert tokens == {"input": 7, "output": 5, "cached": 3, "reasoning": 2}


def decided(model) -> Decision:
    """A decision whose upstream told all that it used."""
    event = Event("0" * 32, Route(path="/x", name="x"), "POST", "/x", 0.0)
    usage = Usage(7, 5, 3, 2, {"prompt_tokens": 7})
    return Decision(event, served=model, usage=usage, attempts=[Attempt(model, status=200)])


def test_made_up_names_make_no_series(gateway) -> None:
    """10,000 models that nobody has, on routes that are there and are not: nothing grows."""
    chat(gateway, model="made-up")
    gateway.client.get("/made-up")
    before = set(samples(gateway)) and set(samples(gateway))  # which are of a route too
    for number in range(10_000):
        name = f"made-up-{number}"
        if number % 10:
            gateway.client.open(f"/{name}")
        else:
            assert chat(gateway, model=name).status_code == 404
    after = set(samples(gateway))
    assert not [key for key in after if "made-up" in str(key)]
    grown = {key[0] for key in after - before}
    assert grown == set()


def test_scores_and_the_lag_of_records_are_read_when_asked(gateway) -> None:
    """A score is a series with its interval; rows that no reader sees yet have an age."""
    first = samples(gateway)
    assert of(first, "ai_gateway_judge_published_timestamp_seconds") == 0
    now, records = gateway.service.clock.now(), gateway.service.records
    row = {
        "weight_id": new_id(gateway.service.clock, gateway.service.random),
        "weights_id": new_id(gateway.service.clock, gateway.service.random),
        "published_at": int(now * 1e6),
        "model": "model-a",
        "score": 0.75,
        "score_low": 0.5,
        "score_high": 0.9,
        "samples": 12,
    }
    records.append("weights", row)
    assert of(samples(gateway), "ai_gateway_records_lag_seconds") > 0
    records.flush()
    gateway.service.weights.refresh()
    found = samples(gateway)
    assert of(found, "ai_gateway_records_lag_seconds") == 0
    assert of(found, "ai_gateway_judge_score", model="model-a") == 0.75
    assert of(found, "ai_gateway_judge_score_bound", model="model-a", bound="low") == 0.5
    assert of(found, "ai_gateway_judge_samples", model="model-a") == 12
    when = of(found, "ai_gateway_judge_published_timestamp_seconds")
    assert when == pytest.approx(now, abs=0.01)


def test_counting_by_many_threads_loses_nothing() -> None:
    """Streams end in threads of their own."""
    metrics = Metrics()
    threads = [
        threading.Thread(target=lambda: [metrics.decided(decided("model-a")) for _ in range(200)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (family,) = metrics.attempts.collect()
    assert [each.value for each in family.samples if each.name.endswith("_total")] == [1600]
